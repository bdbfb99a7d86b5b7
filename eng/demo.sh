#!/usr/bin/env bash
# The main job: simulate (or load) polymer conformations, train, save, export, and use the exported model.
# Arguments are passed on: --data FILE.npz, --output FOLDER, --epochs N, --seed N (see --help).
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
"$here"/eng/prerequisites.sh
exec dotnet run --project "$here"/examples/BeadSpringPolymer -c Release -- "$@"
