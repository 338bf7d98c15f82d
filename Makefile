# What people type. `make help` lists it.
CARGO ?= cargo
SIM := $(or $(CARGO_TARGET_DIR),target)/sim/steward-sim
export CARGO_TERM_COLOR ?= auto

.PHONY: help build install demo playground test check bench sim mutants fuzz peers vectors doc clean

help:
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

build: tools ## the release binary, target/release/steward
	$(CARGO) build --release --locked -p steward

install: tools ## builds and installs the program: ~/.cargo/bin/steward
	$(CARGO) install --locked --path crates/steward

demo: build ## a host and two clients pay each other, the host is killed in mid-payment
	./target/release/steward demo

playground: build ## the same network, left running for you to try
	./target/release/steward playground

test: tools ## everything CI runs: checks, unit, property, conformance and process tests
	./scripts/test

check: tools ## format, lints, documentation; all warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

bench: tools ## measures the performance budget with real processes; writes target/bench.json
	$(CARGO) build --release --locked -p steward -p steward-bench
	./target/release/steward-bench --steward ./target/release/steward --out target/bench.json

fuzz: tools ## fuzzes every harness, TIME seconds in all (default 60), JOBS at a time
	TIME="$(or $(TIME),60)" JOBS="$(JOBS)" ./scripts/fuzz

peers: tools ## asks others about the API: a validator, generated clients in Python and TypeScript, schemathesis
	./scripts/peers

sim: tools ## simulates networks under faults: SEEDS=n runs that many, SEED=x replays one with a trace
	$(CARGO) build --profile sim --locked -p steward-sim
	$(SIM) $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),200))

mutants: tools ## breaks the engine on purpose, in many ways: the simulator or a test must notice each
	./scripts/mutants

vectors: ## regenerates the generated conformance vectors
	$(CARGO) run --locked -p steward-wire --example generate_vectors > vectors/wire/generated.json

doc: ## the API documentation of every crate
	$(CARGO) doc --workspace --no-deps --locked

clean: ## removes what was built
	$(CARGO) clean

# SQLite and libsecp256k1 are C: a bare Debian needs a compiler for them.
.PHONY: tools
tools:
	@./scripts/install-tools
