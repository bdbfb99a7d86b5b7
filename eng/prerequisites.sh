#!/usr/bin/env bash
# Makes sure that what the library needs is on the machine: the .NET SDK, and a C++ runtime new enough for TorchSharp's native library.
# Quick when nothing is missing. It changes the system only on Debian 12, only as root, and says so first.
set -euo pipefail

needed=GLIBCXX_3.4.32   # libstdc++ of GCC 13: Debian 13, Ubuntu 24.04, RHEL 10, Fedora 38 and later

say() { printf '%s\n' "$*" >&2; }

sdk() {
  local wanted found
  wanted=10
  if command -v dotnet >/dev/null 2>&1; then
    found=$(cd / && dotnet --list-sdks 2>/dev/null | cut -d. -f1 | sort -n | tail -n 1)
    if [ -n "$found" ] && [ "$found" -ge "$wanted" ]; then return 0; fi
    say "The .NET SDK $wanted is needed; the newest that 'dotnet --list-sdks' shows is ${found:-none}."
  else
    say "The .NET SDK $wanted is needed and there is no 'dotnet' on the PATH."
  fi
  say "Install it with your package manager (Ubuntu: apt-get install dotnet-sdk-10.0; Fedora: dnf install dotnet-sdk-10.0;"
  say "macOS: brew install dotnet; Windows: winget install Microsoft.DotNet.SDK.10) or from https://dotnet.microsoft.com/download."
  return 1
}

# The libstdc++ that the dynamic loader would take for this machine's architecture.
libstdcxx() {
  local file
  file=$({ ldconfig -p 2>/dev/null || /sbin/ldconfig -p 2>/dev/null; } | awk -v machine="$(uname -m)" '
    /libstdc\+\+\.so\.6 / { if (machine == "x86_64" ? /x86-64/ : 1) { print $NF; exit } }') || true
  if [ -z "$file" ]; then
    for file in /usr/lib/"$(uname -m)"-linux-gnu/libstdc++.so.6 /usr/lib64/libstdc++.so.6 /usr/lib/libstdc++.so.6; do
      [ -e "$file" ] && break
    done
  fi
  [ -e "$file" ] && printf '%s\n' "$file"
}

has_symbol() { local file; file=$(libstdcxx) && grep -aqF "$needed" "$file"; }

# Debian 12: libstdc++6 and libc6 of Debian 13, from the same mirror as the machine's own packages, at a priority that nothing else follows.
mend_debian12() {
  local list=/etc/apt/sources.list.d/vae-mlnet-trixie.list pin=/etc/apt/preferences.d/vae-mlnet-trixie
  local mirror signed
  mirror=$(
    cat /etc/apt/sources.list.d/*.sources 2>/dev/null | awk '
      /^[[:space:]]*$/ { uri = "" }
      /^URIs:/ { uri = $2 }
      /^Suites:/ { for (i = 2; i <= NF; i++) if ($i == "bookworm" && uri != "") { print uri; exit } }'
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | awk '
      $1 == "deb" { for (i = 2; i < NF; i++) if ($(i + 1) == "bookworm") { print $i; exit } }'
  )
  mirror=$(printf '%s\n' "$mirror" | head -n 1)
  if [ -z "$mirror" ]; then
    say "No apt source for the suite 'bookworm' was found, so none for 'trixie' can be derived from it."
    return 1
  fi
  for signed in /usr/share/keyrings/debian-archive-keyring.gpg /etc/apt/trusted.gpg.d/debian-archive-trixie-stable.asc; do
    [ -e "$signed" ] && break
  done
  say "Debian 12's libstdc++ lacks $needed, which TorchSharp's native library needs."
  say "Installing libstdc++6 and libc6 of Debian 13 with the packages they depend on"
  say "(adds $list and $pin, at a priority that no other package follows) ..."
  printf 'deb [signed-by=%s] %s trixie main\n' "$signed" "$mirror" > "$list"
  printf 'Package: *\nPin: release n=trixie\nPin-Priority: 100\n' > "$pin"
  export DEBIAN_FRONTEND=noninteractive
  local log
  log=$(mktemp)
  if ! { apt-get -qq update && apt-get -qq -y -o Dpkg::Options::=--force-confold -o Dpkg::Options::=--force-confdef \
           install -t trixie libstdc++6 libc6; } > "$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$list" "$pin" "$log"
    say "The installation failed; the two files are removed again."
    return 1
  fi
  rm -f "$log"
}

runtime() {
  [ "$(uname -s)" = Linux ] || return 0
  has_symbol && return 0
  # shellcheck disable=SC1091
  if [ -r /etc/os-release ] && . /etc/os-release && [ "${ID:-}" = debian ] && [ "${VERSION_ID:-}" = 12 ]; then
    if [ "$(id -u)" = 0 ]; then
      mend_debian12 && has_symbol && return 0
    else
      say "This is Debian 12 and its libstdc++ lacks $needed, which TorchSharp's native library needs. Run once as root:"
      say "  sudo eng/prerequisites.sh"
      return 1
    fi
  fi
  say "The C++ runtime of this machine ($(libstdcxx || echo 'no libstdc++.so.6 found')) lacks $needed, which TorchSharp's native library needs."
  say "Install libstdc++ of GCC 13 or later: use Debian 13, Ubuntu 24.04, RHEL 10, Fedora 38 or later;"
  say "on Ubuntu 22.04: add-apt-repository ppa:ubuntu-toolchain-r/test && apt-get install libstdc++6;"
  say "with conda: conda install -c conda-forge 'libstdcxx-ng>=13' and put its lib folder on LD_LIBRARY_PATH."
  return 1
}

sdk && runtime
