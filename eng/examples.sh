#!/usr/bin/env bash
# Runs every program of one file in examples/; each makes up its data and fails when its result is not what it says.
set -euo pipefail
cd "$(dirname "$0")/.."
eng/prerequisites.sh
for program in examples/*.cs; do
  printf '\n-- %s\n' "$program"
  lines=$(wc -l < "$program")
  if [ "$lines" -ge 60 ]; then echo "$program has $lines lines; under 60 are promised." >&2; exit 1; fi
  dotnet run "$program"
done
