#!/usr/bin/env bash
# Consumes the packages as a stranger would: packs them, then trains with the one (examples/PackageConsumer/Train), infers with the other
# (examples/PackageConsumer/Infer), scores a saved pipeline without either (examples/SavedPipelineConsumer), and installs the tool and runs its commands.
# The two call every public entry point, and what a packed library refers to is in what a bare restore gives: both are checked (eng/PackageCheck), and the
# checks are tried on what they have to refuse. Fails on the first difference.
set -euo pipefail
cd "$(dirname "$0")/.."
eng/pack.sh

files=$PWD/artifacts/consumer
rm -rf "$files"
# Consumers stand outside of this repository, whose versions and properties a stranger does not have.
outside=$(mktemp -d)
trap 'rm -rf "$outside"' EXIT
cp -r examples/PackageConsumer examples/SavedPipelineConsumer "$outside"
find "$outside" -type d \( -name bin -o -name obj \) -prune -exec rm -rf {} +
rm "$outside/PackageConsumer/Directory.Packages.props"
for name in Directory.Build.targets Directory.Packages.props; do
  echo '<Project />' > "$outside/$name"
done
# Unpacked where eng/pack.sh clears up, not in the user's own folder of packages, which gives the others.
cat > "$outside/Directory.Build.props" <<EOF
<Project>
  <PropertyGroup>
    <RestorePackagesPath>$PWD/artifacts/packages</RestorePackagesPath>
    <RestoreFallbackFolders>$PWD/artifacts/others</RestoreFallbackFolders>
  </PropertyGroup>
</Project>
EOF
cat > "$outside/NuGet.config" <<EOF
<configuration><packageSources><add key="packed" value="$PWD/.feed" /></packageSources></configuration>
EOF
version=$(sed -n 's|.*<VaeVersion>\(.*\)</VaeVersion>.*|\1|p' .feed/Version.props)
for project in "$outside"/*/*.csproj "$outside"/*/*/*.csproj; do
  [ -e "$project" ] || continue
  # What 'dotnet new console' writes.
  sed -i 's|<OutputType>Exe</OutputType>|&<TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings><Nullable>enable</Nullable>|' "$project"
  for package in $(sed -n 's/.*<PackageReference Include="\([^"]*\)" \/>.*/\1/p' "$project"); do
    case $package in
      Vae.MLNet*) wanted=$version ;;
      *) wanted=$(sed -n "s/.*<PackageVersion Include=\"$package\" Version=\"\([^\"]*\)\".*/\1/p" Directory.Packages.props) ;;
    esac
    sed -i "s|<PackageReference Include=\"$package\" />|<PackageReference Include=\"$package\" Version=\"$wanted\" />|" "$project"
  done
done
dotnet publish eng/PackageCheck -c Release -o "$files/bin/PackageCheck" -nologo -v quiet -clp:NoSummary
check() {
  dotnet "$files/bin/PackageCheck/PackageCheck.dll" "$@"
}
# refuses TEXT COMMAND...: that check has to fail, and to say so in a line that holds the text.
refuses() {
  local text=$1 said
  shift
  if said=$(check "$@" 2>&1) || ! grep -qF "$text" <<< "$said"; then
    printf 'PackageCheck %s should have failed with\n%s\nand said\n%s\n' "$*" "$text" "$said" >&2
    exit 1
  fi
}
build() {
  dotnet publish "$outside/$1" -c Release -o "$files/bin/$(basename "$1")" -nologo -v quiet -clp:NoSummary
}

echo "-- Train: package Vae.MLNet"
build PackageConsumer/Train
dotnet "$files/bin/Train/Train.dll" "$files"

# What the library was compiled against has to be what a bare restore gives, or newer, and no entry point may go without a caller.
check closure "$outside/PackageConsumer/Train/obj/project.assets.json" artifacts/packing/obj/Vae.MLNet/project.assets.json
check entry-points "$files/bin/Train/Vae.MLNet.dll" "$files/bin/Train/Train.dll"

echo "-- Infer: package Vae.MLNet.Inference"
build PackageConsumer/Infer
foreign=$(find "$files/bin/Infer" -printf '%f\n' | grep -iE '^(Microsoft\.ML\.|Microsoft\.ML\.dll|TorchSharp|libtorch|Google\.Protobuf|Vae\.MLNet\.dll)' |
  grep -vE '^Microsoft\.ML\.OnnxRuntime\.dll$' || true)
if [ -n "$foreign" ]; then
  printf 'Infer was published with\n%s\n' "$foreign" >&2
  exit 1
fi
dotnet "$files/bin/Infer/Infer.dll" "$files"
check closure "$outside/PackageConsumer/Infer/obj/project.assets.json" artifacts/packing/obj/Vae.MLNet.Inference/project.assets.json
check entry-points "$files/bin/Infer/Vae.MLNet.Inference.dll" "$files/bin/Infer/Infer.dll"

echo "-- SavedPipelineConsumer: neither"
build SavedPipelineConsumer
if find "$files/bin/SavedPipelineConsumer" -name 'Vae.MLNet*' -o -iname '*torch*' | grep .; then
  echo "SavedPipelineConsumer was published with the files above." >&2
  exit 1
fi
dotnet "$files/bin/SavedPipelineConsumer/SavedPipelineConsumer.dll" "$files"

echo "-- the checks themselves: packages and a consumer that they have to refuse"
# Without the first dependency a bare restore gives an older assembly, by a dependency of Microsoft.ML; without the second it gives none.
for dependency in System.Numerics.Tensors Vae.MLNet.Inference; do
  faulty=$outside/faulty/$dependency
  wanted=$(check without "$dependency" ".feed/Vae.MLNet.$version.nupkg" "$faulty")
  # Unpacked here and nowhere else.
  cat > "$faulty/Faulty.csproj" <<EOF
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <TargetFramework>net10.0</TargetFramework>
    <RestoreAdditionalProjectSources>$faulty</RestoreAdditionalProjectSources>
    <RestorePackagesPath>$faulty/packages</RestorePackagesPath>
    <RestoreFallbackFolders>$PWD/artifacts/others</RestoreFallbackFolders>
  </PropertyGroup>
  <ItemGroup>
    <PackageReference Include="Vae.MLNet" Version="[$wanted]" />
  </ItemGroup>
</Project>
EOF
  dotnet restore "$faulty" -v quiet
  refuses "Vae.MLNet.dll refers to $dependency " \
    closure "$faulty/obj/project.assets.json" artifacts/packing/obj/Vae.MLNet/project.assets.json
done
refuses "No consumer calls Vae.MLNet.VaeTrainer.Fit(" \
  entry-points "$files/bin/Train/Vae.MLNet.dll" "$files/bin/SavedPipelineConsumer/SavedPipelineConsumer.dll"

echo "-- vae-mlnet: the tool"
tool=$files/bin/tool
NUGET_PACKAGES=$PWD/artifacts/packages dotnet tool install Vae.MLNet.Tool --tool-path "$tool" --version "$version" --add-source "$PWD/.feed" > /dev/null
vae=$tool/vae-mlnet
assemblies=$(dirname "$(find "$tool" -name vae-mlnet.dll)")
check folder "$assemblies"
mkdir "$outside/faulty/tool"
find "$assemblies" -name '*.dll' ! -name System.Numerics.Tensors.dll -exec ln -s {} "$outside/faulty/tool" \;
refuses "Vae.MLNet.dll refers to System.Numerics.Tensors " folder "$outside/faulty/tool"
"$vae" train "$files/expected.csv" --latent 2 --hidden 32 --epochs 5 --validation 0.2 -o "$files/model" --json > "$files/train.json"
"$vae" encode "$files/model" "$files/expected.csv" -o "$files/latent.csv"
"$vae" sample "$files/model" --count 10 --seed 1 -o "$files/samples.npz"
"$vae" inspect "$files/model" --json > "$files/inspect.json"
grep -q '"latentDimension": 2' "$files/train.json" && grep -q '"kind": "decoder"' "$files/inspect.json"
[ "$(wc -l < "$files/latent.csv")" -gt 10 ] && [ -s "$files/samples.npz" ]
code=0
"$vae" sample "$files/latent.csv" -o "$files/nothing.npy" 2> /dev/null || code=$?
[ "$code" -eq 1 ] && [ ! -e "$files/nothing.npy" ] || { echo "vae-mlnet took a table for a model (exit code $code)." >&2; exit 1; }
