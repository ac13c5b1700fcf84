#!/bin/sh
# Sets up a checkout: system packages (apt-get, where allowed), the virtual environment .venv,
# and cimc in it. Safe to run again; quick when nothing changed.
#
#   sh scripts/setup.sh            what compiling and RTL co-simulation need
#   sh scripts/setup.sh --tests    also the tools that only tests use
set -eu
cd "$(dirname "$0")/.."

NEEDED="g++ make perl"
WANTED=""
if [ "${1:-}" = "--tests" ]; then
    WANTED="ccache iverilog yosys opensta dataset-fashion-mnist"
elif [ -n "${1:-}" ]; then
    echo "usage: sh scripts/setup.sh [--tests]" >&2
    exit 2
fi

say() { echo "setup: $*" >&2; }

# Is what the Debian package $1 brings already here?
present() {
    case "$1" in
        opensta) command -v sta >/dev/null 2>&1 ;;
        dataset-fashion-mnist) [ -d /usr/share/datasets/fashion-mnist ] ;;
        *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

missing_of() {
    for package in "$@"; do
        present "$package" || printf '%s ' "$package"
    done
}

# First Python >= 3.11 that can make virtual environments, else first Python >= 3.11.
find_python() {
    fallback=""
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        command -v "$name" >/dev/null 2>&1 || continue
        "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        if "$name" -c 'import ensurepip, venv' 2>/dev/null; then
            echo "$name"
            return
        fi
        fallback="${fallback:-$name}"
    done
    echo "$fallback"
}

# Prints the prefix that makes apt-get work ("" for root); fails where there is none.
apt_prefix() {
    command -v apt-get >/dev/null 2>&1 || return 1
    [ "$(id -u)" != 0 ] || return 0
    command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null && echo "sudo -n"
}

# Installs those of the given packages that this distribution has.
install_packages() {
    if ! prefix=$(apt_prefix); then
        say "no right to install packages; as root: apt-get install $*"
        return 0
    fi
    say "installing $*"
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    $prefix apt-get update >"$log" 2>&1 || say "apt-get update failed; going on with old lists"
    known=""
    for package in "$@"; do
        if apt-cache show "$package" >/dev/null 2>&1; then
            known="$known $package"
        else
            say "this distribution has no package $package"
        fi
    done
    # Unquoted on purpose: the prefix and the packages are lists of words.
    if [ -n "$known" ] &&
        ! $prefix apt-get install -y --no-install-recommends $known >>"$log" 2>&1; then
        tail -n 5 "$log" >&2
        say "apt-get install failed; by hand: apt-get install$known"
    fi
    rm -f "$log"
}

# Makes sure that $python can make virtual environments, or stops.
need_venv() {
    "$python" -c 'import ensurepip, venv' 2>/dev/null && return 0
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    install_packages python3-venv "python$version-venv"
    "$python" -c 'import ensurepip, venv' 2>/dev/null && return 0
    say "$python cannot make virtual environments; as root: apt-get install python3-venv"
    exit 1
}

python=$(find_python)
if [ -z "$python" ]; then
    say "Python 3.11 or newer not found; Debian 12 and Ubuntu 24.04 have it as package python3"
    exit 1
fi

# A moved or copied environment has its old place written into its scripts.
if [ ! -x .venv/bin/python ] || [ "$(cat .venv/.place 2>/dev/null)" != "$(pwd)" ]; then
    need_venv
    say "making the virtual environment .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
    pwd >.venv/.place
fi

# What could not be installed last time is not tried again, until something changes.
packages=$(missing_of $NEEDED $WANTED)
if [ -n "$packages" ] && [ "$packages" != "$(cat .venv/.unavailable 2>/dev/null)" ]; then
    install_packages $packages
    missing_of $NEEDED $WANTED >.venv/.unavailable
fi
still=$(missing_of $NEEDED)
[ -z "$still" ] || say "missing: ${still}(compiling works, slower; RTL co-simulation will not)"

# What the installed package is made from: a change of it means to install again.
made_from() {
    cat pyproject.toml CMakeLists.txt cimc/kernels/native/* | cksum
    command -v g++ || echo "no compiler"
}

if [ "$(made_from)" != "$(cat .venv/.installed 2>/dev/null)" ]; then
    say "installing cimc and the Python packages it uses (a few minutes the first time)"
    .venv/bin/python -m pip install -q --disable-pip-version-check -e '.[dev]'
    made_from >.venv/.installed
    say "done"
fi
