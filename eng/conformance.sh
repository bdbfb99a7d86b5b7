#!/usr/bin/env bash
# Conformance of the exported files: one of every kind is written with inputs and outputs (OnnxRuntime of the library's own version, through .NET), checked with the
# ONNX checker and strict shape inference, and run on other versions of OnnxRuntime and on onnxruntime-web, whose outputs have to agree to 1e-5.
#   eng/conformance.sh               checker, the oldest OnnxRuntime supported, WebAssembly
#   eng/conformance.sh all           checker, every version, WebAssembly; prints the table
#   eng/conformance.sh 1.24.3 ...    checker, these versions, WebAssembly
# The runtimes come from npm into a temporary folder that is removed in the end; the checker is Debian's python3-onnx.
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
  "") versions=(1.21.1) ;;
  all) versions=(1.21.1 1.22.0 1.23.2 1.24.3 1.25.1 1.26.0 1.27.0 1.29.0 1.30.0) ;;
  *) versions=("$@") ;;
esac
eng/prerequisites.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Also fetches onnxruntime-web, which the service's page runs on.
dotnet build tests/Vae.MLNet.Benchmarks -c Release -v quiet -nologo -clp:NoSummary
dotnet tests/Vae.MLNet.Benchmarks/bin/Release/net10.0/Vae.MLNet.Benchmarks.dll conformance "$folder/files"

python=""
for candidate in python3 /usr/bin/python3; do
  if "$candidate" -c 'import onnx' 2>/dev/null; then python=$candidate; break; fi
done
if [ -z "$python" ] && command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  echo "Installing python3-onnx, the ONNX checker, from the distribution's packages ..." >&2
  export DEBIAN_FRONTEND=noninteractive
  { apt-get -qq update && apt-get -qq -y install --no-install-recommends python3-onnx; } >"$folder/apt.log" 2>&1 || tail -n 5 "$folder/apt.log" >&2
  if /usr/bin/python3 -c 'import onnx' 2>/dev/null; then python=/usr/bin/python3; fi
fi
if [ -n "$python" ]; then
  "$python" eng/conformance/check.py "$folder/files"
else
  echo "There is no ONNX checker (Debian: apt-get install python3-onnx); the files were not checked with it." >&2
fi

if ! command -v node >/dev/null 2>&1 || ! command -v npm >/dev/null 2>&1; then
  echo "There is no node with npm; the files were not run on other versions." >&2
  exit 0
fi
for version in "${versions[@]}"; do
  mkdir -p "$folder/runtime"
  if ! npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder/runtime" "onnxruntime-node@$version" >/dev/null 2>"$folder/npm.log"; then
    echo "onnxruntime-node $version could not be taken from npm:" >&2
    tail -n 3 "$folder/npm.log" >&2
    exit 1
  fi
  node eng/conformance/run.mjs "$folder/files" node "$folder/runtime" >> "$folder/results" 2>> "$folder/messages"
  rm -rf "$folder/runtime"   # some hundred megabytes each
done
web=examples/DecoderService/bin/Release/net10.0/wwwroot/ort
if [ -e "$web/ort.wasm.min.mjs" ]; then
  node eng/conformance/run.mjs "$folder/files" web "$web" >> "$folder/results" 2>> "$folder/messages"
else
  echo "onnxruntime-web is not there (npm was not to be had at build time); the files were not run on it." >&2
fi
node eng/conformance/table.mjs "$folder/files" "$folder/results"
