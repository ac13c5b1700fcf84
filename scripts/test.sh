#!/bin/sh
# Sets up everything, then runs the static checks and the fast tests.
# Arguments go to pytest, in place of "not slow": sh scripts/test.sh -m slow
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh --tests
. scripts/steps.sh
[ $# -gt 0 ] || set -- -m "not slow"
step check sh scripts/check.sh
step pytest python -m pytest -q --durations=15 "$@"
finish
