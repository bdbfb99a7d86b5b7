#!/usr/bin/env bash
# Size on disk and cold start (process start to first decoded sample) of Vae.MLNet.Inference and of ML.NET's OnnxTransformer with the same decoder, each
# framework-dependent and self-contained, and of the former trimmed and NativeAOT. A warning in any of the builds is an error. NativeAOT needs a C compiler and zlib's headers.
#   eng/coldstart.sh [RUNS]    RUNS starts of each program in turn, 20 unless given; the table shows the median and the range
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-20}
files=artifacts/consumer out=artifacts/coldstart
[ -e "$files/sequence-decoder.onnx" ] || eng/consume.sh
eng/pack.sh
rm -rf "$out"
rid=$(dotnet --info | awk '$1 == "RID:" { print $2; exit }')

names=()
publish() { # name project options...
  local name=$1 project=$2
  shift 2
  dotnet publish "examples/PackageConsumer/$project" -c Release -r "$rid" -o "$out/$name" -nologo -v quiet -clp:NoSummary -p:DebugType=none -p:StripSymbols=true "$@"
  find "$out/$name" \( -name '*.pdb' -o -name '*.dbg' \) -delete
  names+=("$name $project")
}
publish inference Infer --self-contained false
publish inference-self-contained Infer --self-contained true
publish inference-trimmed Infer --self-contained true -p:PublishTrimmed=true
publish inference-aot Infer -p:PublishAot=true
publish mlnet InferMLNet --self-contained false
publish mlnet-self-contained InferMLNet --self-contained true

# Fails unless a program really works the way it was published.
for name in inference inference-self-contained inference-trimmed inference-aot; do "$out/$name/Infer" "$files" > /dev/null; done

now() { printf '%s' "${EPOCHREALTIME/[.,]/}"; }
for ((run = 0; run <= runs; run++)); do   # in turn, so that a slow moment of the machine hits all; run 0 fills the page cache
  for entry in "${names[@]}"; do
    read -r name program <<< "$entry"
    start=$(now)
    read -r stop _ < <("$out/$name/$program" "$files" --cold-start 2>> "$out/messages.log")   # OnnxRuntime remarks on the optional input
    [ "$run" = 0 ] || echo $(((stop - start) / 100)) >> "$out/$name.times"   # tenths of a millisecond
  done
done

echo "| program | MB | of which OnnxRuntime | files | cold start, ms | range, ms |"
echo "|---|---|---|---|---|---|"
for entry in "${names[@]}"; do
  read -r name _ <<< "$entry"
  native=$(find "$out/$name" -name 'libonnxruntime.*' -printf '%s\n' | awk '{ s += $1 } END { printf "%.1f", s / 1e6 }')
  size=$(find "$out/$name" -type f -printf '%s\n' | awk '{ s += $1 } END { printf "%.1f", s / 1e6 }')
  sort -n "$out/$name.times" | awk -v name="$name" -v size="$size" -v native="$native" -v files="$(find "$out/$name" -type f | wc -l)" '
    { t[NR] = $1 / 10 }
    END { printf "| %s | %s | %s | %d | %.0f | %.0f to %.0f |\n", name, size, native, files, (t[int((NR + 1) / 2)] + t[int(NR / 2) + 1]) / 2, t[1], t[NR] }'
done
