#!/usr/bin/env bash
# Checks in diffusers that the adapter files which this library writes are what they should be.
#
#   bash internal/golden/check_adapters.sh install   # once; gigabytes, kept in the user's cache folder
#   bash internal/golden/check_adapters.sh check     # writes adapters first, or add a folder of them
#
# The first is apart because it mostly waits for the network: CI runs it in the background of everything else. It ends
# with 0 when check can run and with 1 when it cannot, saying why: without Python, without a package index, without room
# or in too little time there is nothing to check with, which is no fault of the adapters. DUALPROCESS_PYTHON names a
# Python that has the packages already; nothing is installed then. DUALPROCESS_NO_DOWNLOAD=1 forbids to install.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

requirements=internal/golden/requirements.txt
patience=1200 # seconds for all of the installation
room=13000000 # kilobytes: the packages, and their archives while they are unpacked

# A folder per list of packages: a new list is a new environment, not a repaired one.
folder=${XDG_CACHE_HOME:-$HOME/.cache}/dualprocess-go/diffusers-$(cksum <"$requirements" | cut -d ' ' -f 1)
python=${DUALPROCESS_PYTHON:-$folder/bin/python}

cannot() { printf 'adapters are not checked in diffusers: %s\n' "$1"; exit 1; }
ready() { "$python" -c 'import diffusers, peft, sentencepiece, torch, transformers' >/dev/null 2>&1; }

# run can be stopped while it waits, and stops what it waits for.
run() {
  "$@" &
  local pid=$!
  trap 'kill '"$pid"' 2>/dev/null || true; rm -rf "$folder"; exit 1' TERM
  wait "$pid"
}

install() {
  [ -n "${DUALPROCESS_PYTHON:-}" ] && { ready || cannot "DUALPROCESS_PYTHON has not the packages of $requirements"; return; }
  if [ -e "$folder/complete" ] && ready; then return; fi
  [ "${DUALPROCESS_NO_DOWNLOAD:-}" != 1 ] || cannot "DUALPROCESS_NO_DOWNLOAD forbids to install it"
  command -v python3 >/dev/null || cannot "there is no Python"
  rm -rf "$folder"
  mkdir -p "$(dirname "$folder")"
  [ "$(df -Pk "$(dirname "$folder")" | awk 'NR==2 {print $4}')" -gt "$room" ] || cannot "the disk is too full"
  python3 -m venv "$folder" || { rm -rf "$folder"; cannot "Python cannot make a virtual environment"; }
  mkdir "$folder/tmp" # for the archives, which would stay behind in /tmp if the time were up
  export TMPDIR=$folder/tmp
  # The smallest package first, impatiently: where no index answers, that is known within seconds.
  local pip=("$folder/bin/python" -m pip --disable-pip-version-check install -q --no-cache-dir --no-compile)
  if ! run timeout 60 "${pip[@]}" --retries 0 --timeout 10 "$(grep '^protobuf==' "$requirements")"; then
    rm -rf "$folder"
    cannot "no package index answers"
  fi
  if ! run timeout "$patience" nice "${pip[@]}" --only-binary :all: -r "$requirements"; then
    rm -rf "$folder"
    cannot "the packages could not be installed within $patience s"
  fi
  rm -rf "$folder/tmp"
  ready || cannot "the packages are installed but do not load"
  touch "$folder/complete"
}

# check takes a folder of adapters that tests wrote, as DUALPROCESS_ADAPTERS asks of them, or has them written.
check() {
  ready || cannot "run it with install first"
  local adapters=${1:-}
  if [ -z "$adapters" ]; then
    adapters=$(mktemp -d)
    trap 'rm -rf "'"$adapters"'"' EXIT
    export DUALPROCESS_FIXTURES='' DUALPROCESS_ADAPTERS=$adapters
    go test -count=1 -run 'TestGolden/.*/.*/lora' ./generator/flux ./generator/flux2 ./generator/sd ./generator/sana ./generator/sanasprint ./generator/zimage
    go test -count=1 -run TestAdapterFile ./examples/checkpoints
    go test -count=1 -run TestInputs ./lora
  fi
  "$python" internal/golden/check_adapters.py internal/golden/testdata "$adapters"
}

case "${1:-}" in
install) install ;;
check) check "${2:-}" ;;
*) sed -n '4,5p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
