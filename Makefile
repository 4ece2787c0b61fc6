# Everything a developer runs. Each recipe is a few lines: no tool is hidden here.

CARGO ?= cargo
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CREWAI := "crewai>=1.15.3,<1.16"
export PYO3_PYTHON := $(abspath $(BIN))/python
export PIP_QUIET := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: build demo test test-rust test-python test-wheel lint fmt bench bench-rust bench-python \
	simulate matrix soak chaos redis-server

## the package, built and installed into its own environment
build: $(VENV)/ready
	$(BIN)/maturin develop --quiet

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --group dev "pydantic>=2.10" "PyYAML>=6" "rich>=13" "typer>=0.15" $(CREWAI)
	touch $@

## a greeter, real crews of CrewAI without a key, then two crews on a match: journaled, verified, explained
demo: build
	$(BIN)/python examples/01_hello_world/main.py
	$(BIN)/python examples/02_two_crews_yaml/main.py
	$(BIN)/python examples/04_match_day/main.py
	cd examples/score && rm -rf .live_crew && $(abspath $(BIN))/live-crew process events.jsonl || test $$? = 1
	cd examples/score && $(abspath $(BIN))/live-crew replay .live_crew/journal.db
	cd examples/score && $(abspath $(BIN))/live-crew explain commentator@2 && rm -rf .live_crew

## every test
test: test-rust test-python

## against real servers of NATS and Redis; `cargo test` alone needs neither
test-rust: $(VENV)/ready redis-server
	LIVE_CREW_NATS_SERVER=$(abspath $(BIN))/nats-server $(CARGO) test --quiet --features nats,redis

test-python: build redis-server
	$(BIN)/python -m pytest --quiet
	$(BIN)/python -m mypy.stubtest live_crew._core

redis-server:
	@command -v redis-server >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null; } || \
		{ echo "no \`redis-server\` on the path; install the package of that name"; exit 1; }
	@command -v redis-server >/dev/null || { apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends redis-server; }

## the wheel as users get it, tested on every Python of this machine
test-wheel: $(VENV)/ready
	$(BIN)/maturin build --quiet --out target/wheels
	$(BIN)/python tests/wheel.py target/wheels

## real crews on the oldest, a middle and the newest CrewAI, each in its own environment
matrix: build
	$(BIN)/python tests/matrix.py

## crews and handlers under load, faults and kills: make soak SECONDS=60 SEED=2
SECONDS ?= 1800
SEED ?= 1
soak: build
	$(BIN)/python tests/soak.py --seconds $(SECONDS) --seed $(SEED)

## hosts and servers of NATS killed, frozen, cut off and misled while events flow; with REPLICAS=3 on a
## cluster of three: make chaos MINUTES=10 SEED=2
MINUTES ?= 5
REPLICAS ?= 1
chaos: build
	$(BIN)/python tests/chaos --minutes $(MINUTES) --seed $(SEED) --replicas $(REPLICAS)

## formatting, lints, types and walls; warnings are errors
lint: $(VENV)/ready
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --features python --quiet -- -D warnings
	$(CARGO) check --no-default-features --quiet
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy

fmt: $(VENV)/ready
	$(CARGO) fmt
	$(BIN)/ruff check --quiet --fix
	$(BIN)/ruff format --quiet

## speed, printed; takes minutes
bench: bench-rust bench-python

bench-rust:
	$(CARGO) bench --quiet

## peers are installed if this Python has them
bench-python: $(VENV)/ready
	-$(BIN)/python -m pip install bytewax "faststream[nats]" orjson
	$(BIN)/maturin develop --quiet --release
	$(BIN)/python benches/python/models.py
	$(BIN)/python benches/python/run.py
	$(BIN)/python benches/python/crews.py
	$(BIN)/python benches/python/jetstream.py

## the simulator, as long as you like: make simulate SLICES=5000000
SLICES ?= 2000000
simulate:
	LIVE_CREW_SIM_SLICES=$(SLICES) $(CARGO) test --quiet --test rust simulator -- --nocapture
