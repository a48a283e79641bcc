# OpenWSG. `make help` lists the targets; each installs what it needs first (packaging/bootstrap.sh).

PYTHON := .venv/bin/python
RUST   := nf/datapath/rust
STATE  ?= $(CURDIR)/.state
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test run lint fmt bench clean install peers lock

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: peers ## two strongSwan peers through the gateway, in network namespaces; KEEP=1 leaves them up
	@$(PYTHON) packaging/demo/demo.py $(if $(KEEP),--keep)

test: peers ## every test, those with real peers included
	@cd $(RUST) && cargo test --quiet --release --locked
	@$(PYTHON) -m pytest -n 2 --dist loadgroup $(PYTEST_ARGS)

run: install ## wsgd in the foreground with the factory default; STATE=DIR keeps its state elsewhere
	@$(PYTHON) -m wsg.daemon --state-dir $(STATE) --run-dir $(STATE)/run

lint: peers ## ruff, mypy --strict, rustfmt, clippy, pyang, yanglint, generated files
	@packaging/lint.sh

fmt: install ## format Python and Rust
	@$(PYTHON) -m ruff format . && $(PYTHON) -m ruff check --fix . && cd $(RUST) && cargo fmt

bench: peers ## the measurements of bench/README.md; QUICK=1 for a short run
	@$(PYTHON) bench/run.py $(if $(QUICK),--quick)

install: ## what running needs: Debian packages, .venv, the Rust extension
	@packaging/bootstrap.sh

peers: ## install, and the peers that the demo and the tests use
	@packaging/bootstrap.sh --peers

lock: ## write packaging/requirements.lock anew from pyproject.toml
	@$(PYTHON) -m piptools compile --quiet --extra dev --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url \
	    --no-emit-find-links --no-emit-trusted-host --no-header --output-file packaging/requirements.lock pyproject.toml

clean: ## remove everything built, the virtual environment included
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis $(RUST)/target nf/datapath/_rust*.so .state
	find . -name __pycache__ -prune -exec rm -rf {} +
