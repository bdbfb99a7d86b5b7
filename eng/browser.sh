#!/usr/bin/env bash
# Prints the path of a Chromium for the tests of the latent explorer; on Debian, as root, installs it where there is none. Nothing else needs it.
set -euo pipefail
find_browser() {
  local name
  for name in "${CHROMIUM_PATH:-}" chromium chromium-browser google-chrome; do
    [ -n "$name" ] && command -v "$name" && return 0
  done
  return 1
}
find_browser && exit 0
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  echo "Installing Chromium from the distribution's packages ..." >&2
  export DEBIAN_FRONTEND=noninteractive
  { apt-get -qq update && apt-get -qq -y install --no-install-recommends chromium fonts-dejavu-core; } >&2
  find_browser && exit 0
fi
echo "There is no Chromium. Install it (Debian: apt-get install chromium), or set CHROMIUM_PATH. Without it the tests of the page are inconclusive." >&2
exit 1
