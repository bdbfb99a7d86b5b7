#!/usr/bin/env bash
# Builds everything and runs every test; arguments are passed on to 'dotnet test'.
set -euo pipefail
cd "$(dirname "$0")/.."
eng/prerequisites.sh
dotnet build Vae.MLNet.sln -c Release -v quiet -nologo
exec dotnet test --solution Vae.MLNet.sln -c Release --no-build "$@"
