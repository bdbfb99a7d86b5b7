#!/usr/bin/env bash
# Packs Vae.MLNet, Vae.MLNet.Inference and the tool vae-mlnet into .feed/, the folder feed of NuGet.config, and checks what the packages depend on.
# The version comes from git (tag v1.2.3, or the commits since); .feed/Version.props tells it to the projects that consume the packages.
# Does nothing when nothing changed since the last time; --force packs all the same.
# Consumers unpack the packages in artifacts/packages and take all others from the user's own folder, through artifacts/others; that folder is only read.
set -euo pipefail
cd "$(dirname "$0")/.."
eng/prerequisites.sh

# Without the packages made here: one of the same version, from another branch or an earlier build, must not be taken for them.
rm -rf artifacts/others
mkdir -p artifacts/others artifacts/packages
others=$(dotnet nuget locals global-packages --list | sed 's/^[^:]*: *//')
for folder in "${others%/}"/*/; do
  id=$(basename "$folder")
  case $id in
    vae.mlnet* | '*') ;;
    *) ln -s "$folder" "artifacts/others/$id" ;;
  esac
done

stamp="$(git rev-parse HEAD 2>/dev/null || echo none) $({ git tag --list 2>/dev/null || true; } | cksum)"
sources=(src eng/icon.png eng/pack.sh eng/api Directory.Build.props Directory.Packages.props)
if [ "${1:-}" != --force ] && [ -e .feed/Version.props ] && grep -qF "<!-- $stamp -->" .feed/Version.props &&
   [ -z "$(find "${sources[@]}" \( -name bin -o -name obj \) -prune -o -newer .feed/Version.props -print -quit)" ]; then
  sed -n 's|.*<VaeVersion>\(.*\)</VaeVersion>.*|.feed is up to date: \1|p' .feed/Version.props
  exit 0
fi

# The feed holds one version and never a mixture.
started=$(mktemp)
trap 'rm -f "$started"' EXIT
rm -f .feed/*.nupkg .feed/*.snupkg .feed/Version.props
for project in Vae.MLNet.Inference Vae.MLNet; do
  dotnet pack "src/$project" -c Release -p:Packing=true -o .feed -nologo -v quiet -clp:NoSummary
done
# A tool brings everything along: there are no dependencies to keep out.
dotnet pack src/Vae.MLNet.Tool -c Release -p:ContinuousIntegrationBuild=true -o .feed -nologo -v quiet -clp:NoSummary

# name ids...: the package's dependencies are these and no others.
depends() {
  local name=$1 nuspec expected found
  shift
  nuspec=artifacts/packing/obj/$name/Release/$name.$version.nuspec
  expected=$(printf '%s\n' "$@" | LC_ALL=C sort)
  found=$(sed -n 's/.*<dependency id="\([^"]*\)".*/\1/p' "$nuspec" | LC_ALL=C sort)
  if [ "$found" != "$expected" ]; then
    printf '%s %s depends on\n%s\nand should depend on\n%s\n' "$name" "$version" "$found" "$expected" >&2
    return 1
  fi
}
version=$(cd .feed && ls Vae.MLNet.Inference.*.nupkg | sed 's/^Vae\.MLNet\.Inference\.\(.*\)\.nupkg$/\1/')
depends Vae.MLNet.Inference Microsoft.ML.OnnxRuntime
depends Vae.MLNet Google.Protobuf Microsoft.ML Microsoft.ML.FastTree Microsoft.ML.OnnxRuntime Microsoft.ML.OnnxTransformer Sep System.Numerics.Tensors TorchSharp Vae.MLNet.Inference
for name in Vae.MLNet Vae.MLNet.Inference; do
  for kind in nupkg snupkg; do
    [ -s ".feed/$name.$version.$kind" ] || { echo "$name.$version.$kind was not made." >&2; exit 1; }
  done
done
[ -s ".feed/Vae.MLNet.Tool.$version.nupkg" ] || { echo "Vae.MLNet.Tool.$version.nupkg was not made." >&2; exit 1; }

# NuGet never looks again at a version that it has unpacked once: an older build of the same version has to go.
rm -rf artifacts/packages/vae.mlnet*

cat > .feed/Version.props <<EOF
<Project>
  <!-- $stamp -->
  <PropertyGroup>
    <VaeVersion>$version</VaeVersion>
  </PropertyGroup>
</Project>
EOF
touch -r "$started" .feed/Version.props   # a source edited while packing counts as newer
echo "Packed Vae.MLNet, Vae.MLNet.Inference and Vae.MLNet.Tool $version into .feed"
