# Everything a person types. All tool settings live in pyproject.toml; versions are pinned in the lock files.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help serve demo dev test test-fast test-live check format bench lock clean

help: ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

serve: .venv/serve ## install what is missing, fetch the models, answer on 127.0.0.1:8080
	@$(BIN)/isotherm serve

demo: .venv/serve ## watch a conversation move away from a hot zone, and come back
	@$(BIN)/isotherm demo

dev: .venv/dev ## serve, and start again when the code changes
	@$(BIN)/watchfiles --filter python "setsid $(BIN)/isotherm serve" app backends config routers

test: test-fast test-live ## every test, with real models, real SDKs and real programs

test-fast: .venv/dev ## the tests that need no model, in a minute or two
	@$(BIN)/python -m pytest -q -n auto -m "not live"

test-live: .venv/dev ## the tests with real models, real SDKs and real programs, one after the other
	@$(BIN)/python -m pytest -q -m live

check: .venv/dev ## format, lint, types, import contracts, documents in step with the code
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/cog --check README.md config/example.yaml

format: .venv/dev ## put code and generated documents in order
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(BIN)/cog -r README.md config/example.yaml

bench: .venv/dev ## measure what sensors and doubt cost, and the hot path beside nginx and a direct connection
	@$(BIN)/python -m tests.bench.sensors
	@$(BIN)/python -m tests.bench.doubt
	@$(BIN)/python -m tests.bench.gateway

PIN := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
  --no-emit-index-url --no-emit-find-links --group build pyproject.toml

lock: .venv/dev ## pin every dependency anew
	@$(PIN) --output-file requirements.lock
	@$(PIN) --output-file requirements-dev.lock --all-extras --group dev --constraints requirements.lock

clean: ## forget the virtual environment and the caches of tools (not the models)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis

# A stamp says that the virtual environment holds what the lock asks for: a second start needs no network.
.venv/serve: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: .venv/serve requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
