#!/usr/bin/env bash
# Runs every fuzz test of the tree for the given time each.
set -euo pipefail
cd "$(dirname "$0")/.."
time="${1:-30s}"
grep -rlE '^func Fuzz' --include='*_test.go' . | grep -v node_modules | while read -r file; do
  dir=$(dirname "$file")
  grep -oE '^func (Fuzz[A-Za-z0-9_]+)' "$file" | awk '{print $2}' | while read -r name; do
    echo "== $dir $name"
    go test "$dir" -run '^$' -fuzz "^$name\$" -fuzztime "$time"
  done
done
