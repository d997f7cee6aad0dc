#!/bin/sh
# Builds the same programs with pkg-config alone; PKG_CONFIG_PATH names the prefix when pkg-config does not know it.
# docs/install.md shows these lines without eval, which is for a prefix with a space in its name.
set -eu
CC=${CC:-cc}

eval "$CC test_plain.c -o test_plain $(pkg-config --cflags --libs cmdmox)"
eval "$CC test_check.c -o test_check $(pkg-config --cflags --libs cmdmox check)"
eval "$CC test_plain.c -o test_static $(pkg-config --cflags --libs cmdmox-static)"
eval "$CC test_check.c -o test_check_static $(pkg-config --cflags --libs cmdmox-static check)"
