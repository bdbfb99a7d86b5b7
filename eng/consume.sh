#!/usr/bin/env bash
# Consumes the packages as a stranger would: packs them, then trains with the one (examples/PackageConsumer/Train), infers with the other
# (examples/PackageConsumer/Infer), and scores a saved pipeline without either (examples/SavedPipelineConsumer). Fails on the first difference.
set -euo pipefail
cd "$(dirname "$0")/.."
eng/pack.sh

files=artifacts/consumer
rm -rf "$files"
build() { dotnet publish "examples/$1" -c Release -o "$files/bin/$(basename "$1")" -nologo -v quiet -clp:NoSummary; }

echo "-- Train: package Vae.MLNet"
build PackageConsumer/Train
dotnet "$files/bin/Train/Train.dll" "$files"

echo "-- Infer: package Vae.MLNet.Inference"
build PackageConsumer/Infer
foreign=$(find "$files/bin/Infer" -printf '%f\n' | grep -iE '^(Microsoft\.ML\.|Microsoft\.ML\.dll|TorchSharp|libtorch|Google\.Protobuf|Vae\.MLNet\.dll)' |
  grep -vE '^Microsoft\.ML\.OnnxRuntime\.dll$' || true)
if [ -n "$foreign" ]; then
  printf 'Infer was published with\n%s\n' "$foreign" >&2
  exit 1
fi
dotnet "$files/bin/Infer/Infer.dll" "$files"

echo "-- SavedPipelineConsumer: neither"
build SavedPipelineConsumer
if find "$files/bin/SavedPipelineConsumer" -name 'Vae.MLNet*' -o -iname '*torch*' | grep .; then
  echo "SavedPipelineConsumer was published with the files above." >&2
  exit 1
fi
dotnet "$files/bin/SavedPipelineConsumer/SavedPipelineConsumer.dll" "$files"
