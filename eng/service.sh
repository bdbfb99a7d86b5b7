#!/usr/bin/env bash
# Publishes the decoder service, runs what was published from another folder, and checks that it answers, serves its page, refuses with the field's name, says what it
# is asked for in OpenAPI, and on SIGTERM finishes a request in flight and ends with 0. The model is the argument, or the demo's, or a small one made for it.
#   eng/service.sh [decoder.onnx]
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
model=${1:-$here/output/bead-spring-polymer/decoder.onnx}
folder=$(mktemp -d)
server=""
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
if [ ! -e "$model" ]; then
  "$here"/eng/demo.sh --output "$folder/model" --epochs 2
  model=$folder/model/decoder.onnx
fi
dotnet publish "$here"/examples/DecoderService -c Release -o "$folder/published" -nologo -v quiet -clp:NoSummary
foreign=$(find "$folder/published" -printf '%f\n' | grep -iE '^(Microsoft\.ML\.|TorchSharp|libtorch|Google\.Protobuf|Vae\.MLNet\.dll)' | grep -vE '^Microsoft\.ML\.OnnxRuntime\.dll$' || true)
[ -z "$foreign" ] || { printf 'The service was published with\n%s\n' "$foreign" >&2; exit 1; }

cd "$folder"
dotnet published/DecoderService.dll --model "$model" --urls http://127.0.0.1:0 > log 2> errors &
server=$!
address=""
for _ in $(seq 200); do
  address=$(sed -n 's/.*Now listening on: \(http:[^"]*\)",.*/\1/p' log | head -n 1)
  [ -z "$address" ] || break
  kill -0 "$server" 2>/dev/null || { cat errors log >&2; exit 1; }
  sleep 0.1
done
[ -n "$address" ] || { echo "The service did not start within 20 seconds." >&2; exit 1; }

fails() { echo "$1" >&2; exit 1; }
post() { curl -sS -X POST -H 'content-type: application/json' -d "$2" "$address/$1"; }
contains() { grep -qF -- "$2" <<< "$1" || fails "Expected $2 in: ${1:0:500}"; }
contains "$(curl -sS "$address/healthz")" '"healthy"'
contains "$(post decode '{"latents":[[0.3,-1.2]]}')" '"outputs":[['
contains "$(post decode '{"latents":[[0.3,"x"]]}')" '"latents[0][1]":["has to be a number."]'
contains "$(curl -sS "$address/openapi/v1.json")" '"/optimize"'
contains "$(curl -sS "$address/")" 'Latent explorer'
if [ -e published/wwwroot/ort/ort.wasm.min.mjs ]; then
  contains "$(curl -sSI "$address/ort/ort-wasm-simd-threaded.wasm")" 'application/wasm'
  browser="decodes in the browser"
else
  contains "$(curl -sSI "$address/ort/ort.wasm.min.mjs")" '404'
  browser="decodes by the service (no npm)"
fi

post optimize '{"start":[0.3,-1.2],"steps":2000,"objective":{"radiusOfGyration":{}}}' > answer &
client=$!
sleep 0.1
kill -TERM "$server"
wait "$client" || fails "The request in flight failed while the service stopped."
contains "$(head -c 200 answer)" '"model"'
status=0
wait "$server" || status=$?
server=""
[ "$status" = 0 ] || { cat errors >&2; fails "The service ended with $status after SIGTERM."; }
[ ! -s errors ] || { cat errors >&2; fails "The service wrote to the error stream."; }
echo "The published service works ($(du -sm published | cut -f1) MB, $browser) and stops gracefully."
