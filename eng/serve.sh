#!/usr/bin/env bash
# Starts the decoder service with its latent explorer. Without --model it takes the demo's model, and makes a small one first where there is none.
# Arguments are passed on: --model FILE, --encoder FILE, --data FILE, --urls URL (see --help).
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
arguments=("$@")
case " $* " in
  *" --model"*|*" --help "*|*" -h "*) ;;
  *)
    folder="$here/output/bead-spring-polymer"
    if [ ! -e "$folder/decoder.onnx" ]; then
      echo "No model in $folder: training a small one." >&2
      "$here"/eng/demo.sh --output "$folder" --epochs 30
    fi
    arguments+=(--model "$folder/decoder.onnx")
    ;;
esac
dotnet build "$here"/examples/DecoderService -c Release -v quiet -nologo
if [ ! -e "$here"/examples/DecoderService/bin/Release/net10.0/wwwroot/ort/ort.wasm.min.mjs ]; then
  echo "onnxruntime-web could not be taken from npm: the page's shapes are decoded by the service. Install npm and start again to have the browser decode." >&2
fi
exec dotnet "$here"/examples/DecoderService/bin/Release/net10.0/DecoderService.dll "${arguments[@]}"
