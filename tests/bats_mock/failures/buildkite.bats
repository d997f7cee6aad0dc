# shellcheck disable=SC2016 # lines of plans are expanded by the calls, functions are called by them
load ../helper
load "$MOCK"

said() {
  run unstub "$1"
  saw "status $status"
  printf '%s\n\n' "$output" >>"$SAW"
}

@test "another argument" {
  stub git "fetch : true" "push origin main : echo pushed"
  git fetch
  git push upstream main || true
  said git
}

@test "one argument too many, and one too few" {
  stub git "push origin : echo pushed" "push origin main : echo pushed"
  git push origin main || true
  git push origin || true
  said git
}

@test "two words in one" {
  stub git "commit -m 'a b' : true"
  git commit -m a b || true
  said git
}

@test "any argument is right" {
  stub git "push * main : true"
  git push upstream master || true
  said git
}

@test "a call too many" {
  stub git "fetch : true"
  git fetch
  git push 'a b' || true
  said git
}

@test "calls that did not come" {
  stub git "fetch : true" "push : true" ": true" "::true : false"
  git fetch
  said git
}

@test "all of it" {
  stub git "fetch : true" "push origin : true"
  git pull || true
  git push origin
  git status || true
  stub git "merge : true" "tag : true" "describe : true"
  said git
}

@test "none was expected" {
  stub git
  git fetch || true
  said git
}

@test "patterns that bash cannot read" {
  stub git "'open : true"
  git open 2>/dev/null || true
  said git
}

@test "patterns of the environment" {
  stub git '"$REMOTE" : true'
  REMOTE=origin git upstream || true
  said git
}

@test "what is no text, and what is long" {
  stub git "push : true"
  git $'a\n"b"\t\e[31m\377' "$(printf 'x%.0s' {1..300})" || true
  said git
}

@test "the tenth argument" {
  stub git "1 2 3 4 5 6 7 8 9 10 : true"
  git 1 2 3 4 5 6 7 8 9 ten || true
  said git
}

@test "secrets" {
  stub curl "--token abc : true"
  curl --token "$(printf '%s' hun ter 2)" "https://me:$(printf '%s' hun ter 2)@host" || true
  said curl
}

@test "what is not stubbed" {
  said git
}

@test "no name of a program" {
  run stub a/b "true"
  saw "$status $output"
  run stub ""
  saw "$status $output"
}
