#!/bin/sh
# make setup: a .venv with exactly what requirements.lock says, and the six packages editable in it.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
inside=.venv/bin/python

fail() {
    echo "setup: $*" >&2
    exit 1
}

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Debian ships venv and ensurepip in a package of their own.
with_venv() {
    "$python" -c 'import ensurepip, venv' 2>/dev/null && return
    if as_root true 2>/dev/null; then
        echo "setup: installing python3-venv"
        { as_root apt-get update && as_root apt-get install -y --no-install-recommends python3-venv; } >/dev/null 2>&1 || true
    fi
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python has no venv module: run 'apt-get install python3-venv' as root, then make setup again"
}

# The block of one package in requirements.lock, with its hashes.
locked() {
    awk -v name="$1" '/^[^ ]/ { wanted = index($0, name "==") == 1 } wanted' requirements.lock
}

command -v "$python" >/dev/null || fail "$python is not there: install Python 3.11 or newer"
new_enough "$python" ||
    fail "$("$python" -V) is too old: Python 3.11 or newer is needed, as in make setup PYTHON=python3.12"

if ! { [ -x "$inside" ] && new_enough "$inside"; }; then
    echo "setup: making .venv with $("$python" -V)"
    rm -rf .venv
    if command -v uv >/dev/null; then
        uv venv --quiet --python "$(command -v "$python")" .venv || fail "uv could not make .venv"
    else
        with_venv
        "$python" -m venv .venv || fail "$python could not make .venv"
    fi
fi

uv=$(command -v uv || echo .venv/bin/uv)
if [ ! -x "$uv" ]; then
    echo "setup: installing uv"
    locked uv >.venv/uv.txt
    "$inside" -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt 2>.venv/uv.log || {
        cat .venv/uv.log >&2
        fail "pip could not install uv: is the package index reachable?"
    }
fi

echo "setup: installing $(grep -c == requirements.lock) packages of requirements.lock"
"$uv" pip install --quiet --python "$inside" --require-hashes -r requirements.lock ||
    fail "the packages of requirements.lock could not be installed: is the package index reachable?"

set -- -e shared
for service in services/*/; do set -- "$@" -e "$service"; done
"$uv" pip install --quiet --python "$inside" --no-deps --no-build-isolation --reinstall "$@" ||
    fail "the packages of this repository could not be installed"

touch .venv/.ready
echo "setup: ready"
