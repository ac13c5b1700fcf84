#!/bin/sh
# Static checks: formatting, lint, types, RTL lint. Quick; needs scripts/setup.sh first.
set -eu
cd "$(dirname "$0")/.."
. scripts/steps.sh
step format ruff format --check -q .
step lint ruff check -q .
step types pyright
step lint-rtl python scripts/lint_rtl.py
finish
