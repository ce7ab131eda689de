#!/usr/bin/env bash
# Installs what this Debian 12 machine lacks: with "run" what building and running
# need, with "test" also what the tests need, with "bench" the peers and the load of
# the benches too. Quick when nothing is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(ca-certificates gcc libc6-dev pkg-config
  libavcodec-dev libavdevice-dev libavfilter-dev libavformat-dev libavutil-dev
  libpostproc-dev libswresample-dev libswscale-dev)
if [[ "${1:-run}" != run ]]; then
  packages+=(ffmpeg chromium fonts-dejavu-core strace)
fi
if [[ "${1:-run}" == bench ]]; then
  packages+=(nginx-light wrk)
fi

missing=()
for p in "${packages[@]}"; do
  [[ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null || true)" == installed ]] || missing+=("$p")
done
if ((${#missing[@]})); then
  echo "Installing: ${missing[*]}"
  sudo=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null || { echo "These packages are missing and need root to install: ${missing[*]}" >&2; exit 1; }
    sudo=(sudo)
  fi
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  if [[ " ${missing[*]} " == *" nginx-light "* ]] && [[ -d /run/systemd/system ]]; then
    "${sudo[@]}" systemctl disable --now nginx # the benches start their own
  fi
fi

need() {
  command -v "$1" >/dev/null || { echo "$1 is missing: install $2, then run this again." >&2; exit 1; }
}
need go "Go 1.26 (https://go.dev/dl)"
need node "Node 20 or newer"
need npm "npm"

# node_modules is as the lock file says, and is made anew only when that changed.
if ! cmp -s package-lock.json node_modules/.vitascope-lock 2>/dev/null; then
  echo "Installing front-end packages and the ClickHouse engine library"
  npm ci --no-fund --no-audit --loglevel=error
  cp package-lock.json node_modules/.vitascope-lock
fi
