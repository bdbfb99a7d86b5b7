#!/usr/bin/env bash
# Consumes the packages as a stranger would: packs them, then trains with the one (examples/PackageConsumer/Train), infers with the other
# (examples/PackageConsumer/Infer), scores a saved pipeline without either (examples/SavedPipelineConsumer), and installs the tool and runs its commands.
# Fails on the first difference.
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

echo "-- vae-mlnet: the tool"
tool=$files/bin/tool
dotnet tool install Vae.MLNet.Tool --tool-path "$tool" --version "$(sed -n 's|.*<VaeVersion>\(.*\)</VaeVersion>.*|\1|p' .feed/Version.props)" --add-source "$PWD/.feed" > /dev/null
vae=$tool/vae-mlnet
"$vae" train "$files/expected.csv" --latent 2 --hidden 32 --epochs 5 --validation 0.2 -o "$files/model" --json > "$files/train.json"
"$vae" encode "$files/model" "$files/expected.csv" -o "$files/latent.csv"
"$vae" sample "$files/model" --count 10 --seed 1 -o "$files/samples.npz"
"$vae" inspect "$files/model" --json > "$files/inspect.json"
grep -q '"latentDimension": 2' "$files/train.json" && grep -q '"kind": "decoder"' "$files/inspect.json"
[ "$(wc -l < "$files/latent.csv")" -gt 10 ] && [ -s "$files/samples.npz" ]
code=0
"$vae" sample "$files/latent.csv" -o "$files/nothing.npy" 2> /dev/null || code=$?
[ "$code" -eq 1 ] && [ ! -e "$files/nothing.npy" ] || { echo "vae-mlnet took a table for a model (exit code $code)." >&2; exit 1; }
