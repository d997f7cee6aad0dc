#!/bin/sh
# Writes the man pages and the completions that a program tells of itself: pages.sh PROGRAM DIRECTORY
set -eu
program=$1
share=$2
rm -rf "$share"
mkdir -p "$share/man/man1" "$share/bash-completion/completions" "$share/zsh/site-functions" "$share/fish/vendor_completions.d"
"$program" help --man >"$share/man/man1/cmdmox.1"
# The page of the program names those of the verbs: ".BR cmdmox\-session\-start (1)"
sed -n 's/^\.BR cmdmox\\-\(.*\) (1)$/\1/p' "$share/man/man1/cmdmox.1" | sed 's/\\-/ /g' | while read -r verb; do
  # shellcheck disable=SC2086 # words of a verb
  "$program" help --man $verb >"$share/man/man1/cmdmox-$(echo "$verb" | tr ' ' -).1"
done
"$program" completion bash >"$share/bash-completion/completions/cmdmox"
"$program" completion zsh >"$share/zsh/site-functions/_cmdmox"
"$program" completion fish >"$share/fish/vendor_completions.d/cmdmox.fish"
