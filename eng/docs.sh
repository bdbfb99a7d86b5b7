#!/usr/bin/env bash
# Builds the documentation site from the pages beside the rooms and the XML docs into artifacts/docs/site, offline and without warnings.
set -euo pipefail
cd "$(dirname "$0")/.."
eng/prerequisites.sh
dotnet tool restore >/dev/null
dotnet build src/Vae.MLNet -c Release -v quiet -nologo
rm -rf artifacts/docs
mkdir -p artifacts/docs/pages
# docfx reads nothing above its own folder: the pages go into one, with the paths that they have here, so that links lead on the site where they lead in a clone.
git ls-files -co --exclude-standard -- '*.md' '*.png' '*.sh' 'examples/*.cs' '*.csproj' '*.json' LICENSE | tar -cf - -T - | tar -xf - -C artifacts/docs/pages
cp eng/docs/docfx.json eng/docs/toc.yml eng/docs/index.md artifacts/docs/pages
rm -r artifacts/docs/pages/eng/docs
# A warning is an error: a link that leads nowhere, a reference to a type that is not there.
# FastTree names an assembly that it does not bring along and that no type here shows: that warning, of the first step, is none of the pages'.
dotnet docfx metadata artifacts/docs/pages/docfx.json
dotnet docfx build artifacts/docs/pages/docfx.json --warningsAsErrors
echo "artifacts/docs/site/index.html"
