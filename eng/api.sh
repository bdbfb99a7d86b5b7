#!/usr/bin/env bash
# Writes the public API baselines (eng/api/*/PublicAPI.Unshipped.txt) anew from the sources. Members in PublicAPI.Shipped.txt stay there; one that is gone
# from the sources is listed as removed. Look at the difference before committing it: it is what users of the packages will notice.
#   eng/api.sh           writes the files
#   eng/api.sh --ship    moves everything to PublicAPI.Shipped.txt, for a release
set -euo pipefail
cd "$(dirname "$0")/.."

log=$(mktemp)
old= unshipped=
# Interrupted or failed: the baseline at work is as it was.
trap '[ -z "$old" ] || [ ! -e "$old" ] || mv "$old" "$unshipped"; rm -f "$log"' EXIT
trap 'exit 130' INT TERM

sorted() { LC_ALL=C sort -u; }

for project in Vae.MLNet.Inference Vae.MLNet; do
  shipped=eng/api/$project/PublicAPI.Shipped.txt unshipped=eng/api/$project/PublicAPI.Unshipped.txt
  mkdir -p "eng/api/$project"
  [ -e "$shipped" ] || printf '#nullable enable\n' > "$shipped"
  old=$(mktemp)
  cp "$unshipped" "$old" 2>/dev/null || printf '#nullable enable\n' > "$old"

  # With an empty list of unshipped members the analyser names every member that is not shipped (RS0016) and every shipped one that is gone (RS0017).
  printf '#nullable enable\n' > "$unshipped"
  if ! dotnet build "src/$project" -nologo -v quiet -clp:NoSummary -p:PublicApiBaseline=true > "$log" 2>&1; then
    cp "$old" "$unshipped"
    rm -f "$old"
    grep -E 'error|warning (MSB|NU)' "$log" | sort -u >&2 || cat "$log" >&2
    echo "The build of $project failed; its baseline is as it was." >&2
    exit 1
  fi
  {
    sed -n "s/^.*: warning RS0016: Symbol '\(.*\)' is not part of the declared public API.*$/\1/p" "$log" | sorted
    sed -n "s/^.*: warning RS0017: Symbol '\(.*\)' is part of the declared API, but .*$/*REMOVED*\1/p" "$log" | sorted
  } >> "$unshipped"

  if [ "${1:-}" = --ship ]; then
    grep -v '^#' "$unshipped" | sed -n 's/^\*REMOVED\*//p' > "$log" || true
    { grep -v '^#' "$shipped" | grep -vxFf "$log"; grep -v -e '^#' -e '^\*REMOVED\*' "$unshipped"; } | sorted > "$old" || true
    { echo '#nullable enable'; cat "$old"; } > "$shipped"
    printf '#nullable enable\n' > "$unshipped"
  fi
  rm -f "$old"
  echo "$project: $(grep -vc '^#' "$shipped" || true) members shipped, $(grep -vc '^#' "$unshipped" || true) not yet shipped"
done

# The proof: an ordinary build, in which a difference is an error.
dotnet build src/Vae.MLNet -nologo -v quiet -clp:NoSummary
