# Every target sets up what it needs; `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow check filecheck bench bench-kernels clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F'\t' '{printf "  %-10s %s\n", $$1, $$2}'

setup: ## System packages, virtual environment, cimc (idempotent)
	@sh scripts/setup.sh --tests

demo: ## Compile LeNet and co-simulate its RTL against onnxruntime
	@sh scripts/demo.sh

test: ## Static checks and fast tests: what CI runs
	@sh scripts/test.sh

test-slow: setup ## The long proofs too
	@.venv/bin/python -m pytest -q --durations=25

check: setup ## Formatting, lint, types, RTL lint
	@sh scripts/check.sh

filecheck: setup ## Only the tests of printed IR
	@PATH="$(CURDIR)/.venv/bin:$$PATH" lit -v tests/filecheck

bench: setup ## The figures to reach, measured on this machine
	@.venv/bin/python scripts/bench.py

bench-kernels: setup ## Speed of the compiled kernels and of a whole network beside other ways
	@.venv/bin/python scripts/bench_kernels.py
	@.venv/bin/python scripts/bench_network.py

clean: ## Remove what builds and tests left behind
	@rm -rf build dist .pytest_cache .ruff_cache .hypothesis
