# Everything a developer runs. Each recipe is a line or two: no tool is hidden here.

CARGO ?= cargo

.PHONY: demo test lint fmt bench simulate

## two crews on a file of events, journaled and verified
demo:
	$(CARGO) run --quiet --example first_stream

## every test, without Python
test:
	$(CARGO) test --quiet

## formatting, lints and walls, warnings are errors
lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --quiet -- -D warnings
	$(CARGO) check --no-default-features --quiet

fmt:
	$(CARGO) fmt

## speed, printed; takes minutes
bench:
	$(CARGO) bench --quiet

## the simulator, as long as you like: make simulate SLICES=5000000
SLICES ?= 2000000
simulate:
	LIVE_CREW_SIM_SLICES=$(SLICES) $(CARGO) test --quiet --test rust simulator -- --nocapture
