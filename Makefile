# Everything a person does with this project. `make` alone lists it.

CARGO ?= cargo
DATA ?= milena-data
LISTEN ?= 127.0.0.1:9092
# Passed on to the programs behind `make clients` and `make bench`, e.g. ARGS="--only kcat".
ARGS ?=

.PHONY: help run test ci fmt fmt-check lint doc clients exactly-once bench bench-short profile crash crash-states fuzz soak restart overload compaction deny rust lint-parts

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: rust ## Build the release binary and start a broker on $(LISTEN), data in ./$(DATA)
	$(CARGO) build --release --locked --bin milena
	exec target/release/milena serve --set listeners=PLAINTEXT://$(LISTEN) --set log.dirs=$(DATA)

test: rust ## Run all tests that need nothing but Rust
	$(CARGO) test --workspace --locked

ci: fmt-check lint doc deny test bench-short clients ## What a change must pass, from fast to slow

fmt: lint-parts ## Format the code
	$(CARGO) fmt --all

fmt-check: lint-parts
	$(CARGO) fmt --all --check

lint: lint-parts ## Clippy over everything, warnings as errors
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

doc: rust ## Build the documentation, warnings as errors
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

clients: rust ## Run the scenarios of the real clients and print their matrix
	$(CARGO) build --release --locked --bin milena
	tests/clients/run --broker target/release/milena $(ARGS)

exactly-once: rust ## Copy records in transactions while clients and broker are killed (see its --help)
	$(CARGO) build --release --locked --bin milena
	tests/clients/setup.sh
	python3 tests/clients/exactly_once.py --broker target/release/milena $(ARGS)

BENCH = tests/bench/run --broker target/release/milena --floor target/release/milena-floor

bench: rust ## Measure against Apache Kafka and a floor in one run, and write docs/BENCHMARKS.md
	$(CARGO) build --release --locked --bin milena --bin milena-floor
	$(BENCH) --document docs/BENCHMARKS.md $(ARGS)

bench-short: rust ## Show in a minute that the measuring works, without Kafka; its figures mean nothing
	$(CARGO) build --release --locked --bin milena --bin milena-floor
	$(BENCH) --short $(ARGS)

# The load to look at the broker under, as `milena bench` takes it.
LOAD ?= produce --batch-bytes 1100 --connections 64 --in-flight 1 --acks 1

profile: rust ## Show where the broker's time goes under $(LOAD); needs perf
	$(CARGO) build --release --locked --bin milena
	tests/bench/profile target/release/milena $(LOAD)

# How long the long forms are; docs/RELIABILITY.md tells what they found. SEED repeats a run.
KILLS ?= 300
CUTS ?= 50
FLIPS ?= 3000
FAULTS ?= 25
FULL_DISKS ?= 50
ROUNDS ?= 2000
RESTART_MB ?= 10000
MINUTES ?= 60
# Seeds, from SEED on, for `make fuzz` and `make crash-states`; each has its own number.
RUNS ?=
ifndef SEED
SEED := $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')
endif
BROKEN = MILENA_CRASH_BROKER=$(CURDIR)/target/release/milena MILENA_CRASH_SEED=$(SEED)

crash: rust ## Kill, cut off, starve and damage a broker at length (KILLS, CUTS, FLIPS, FAULTS, SEED)
	$(CARGO) build --release --locked --bin milena
	@echo "make crash SEED=$(SEED) KILLS=$(KILLS) CUTS=$(CUTS) FLIPS=$(FLIPS) FAULTS=$(FAULTS)"
	$(BROKEN) MILENA_CRASH_KILLS=$(KILLS) MILENA_CRASH_CUTS=$(CUTS) MILENA_CRASH_FLIPS=$(FLIPS) \
	  $(CARGO) test --locked -p milena-tests --test crash -- --nocapture
	$(BROKEN) MILENA_FAULTS=$(FAULTS) MILENA_FULL_DISKS=$(FULL_DISKS) \
	  $(CARGO) test --locked -p milena-tests --test process -- --nocapture faults full_disk

soak: rust ## Have a broker do the same work for long and watch its memory and files (ROUNDS)
	$(CARGO) build --release --locked --bin milena
	$(BROKEN) MILENA_SOAK_ROUNDS=$(ROUNDS) \
	  $(CARGO) test --locked -p milena-tests --test process -- --nocapture soak

restart: rust ## Kill a broker with RESTART_MB in 100 partitions and tell how soon it is ready again
	$(CARGO) build --release --locked --bin milena
	$(BROKEN) MILENA_RESTART_MB=$(RESTART_MB) MILENA_RESTART_PARTITIONS=100 \
	  $(CARGO) test --locked -p milena-tests --test process -- --nocapture restart

overload: rust ## Four times the sustainable load for MINUTES in 512 MB of memory
	$(CARGO) build --release --locked --bin milena
	tests/load/overload.py --broker target/release/milena --minutes $(MINUTES) $(ARGS)

compaction: rust ## Compact 5 GB of 10 million keys beside a steady load (see its --help)
	$(CARGO) build --release --locked --bin milena
	tests/load/compaction.py --broker target/release/milena $(ARGS)

deny: rust ## Hold the dependencies against advisories, licences and sources
	@if ! $(CARGO) deny --version >/dev/null 2>&1; then \
	  echo "milena: cargo-deny is not installed, so deny.toml was not checked: cargo install --locked cargo-deny"; \
	elif $(CARGO) deny --locked fetch db 2>/dev/null; then $(CARGO) deny --locked check; \
	else echo "milena: the advisories cannot be fetched; what needs no network is checked" && \
	  $(CARGO) deny --locked check bans licenses sources; fi

fuzz: rust ## Nearly right bytes for every decoder and file parser: RUNS inputs each from SEED on
	MILENA_PROOF_SEED=$(SEED) MILENA_PROOF_RUNS=$(or $(RUNS),1000000) \
	  $(CARGO) test --release --locked -p milena-protocol --lib proof::fuzz -- --nocapture
	MILENA_PROOF_SEED=$(SEED) MILENA_PROOF_RUNS=$(or $(RUNS),20000) \
	  $(CARGO) test --release --locked -p milena-storage --lib proof::damage -- --nocapture
	MILENA_PROOF_SEED=$(SEED) MILENA_PROOF_RUNS=$(or $(RUNS),1000000) \
	  $(CARGO) test --release --locked -p milena-broker --lib metadata::snapshot::fuzz -- --nocapture

crash-states: rust ## 50,000 crashes of the test disk and 10,000 flipped bits, and what recovery makes of them
	MILENA_PROOF_SEED=$(SEED) MILENA_PROOF_RUNS=$(or $(RUNS),12500) \
	  $(CARGO) test --release --locked -p milena-storage --lib proof::torture -- --nocapture
	MILENA_PROOF_SEED=$(SEED) MILENA_PROOF_RUNS=$(or $(RUNS),10000) \
	  $(CARGO) test --release --locked -p milena-storage --lib proof::bit_flips -- --nocapture

rust:
	@command -v $(CARGO) >/dev/null || { \
	  echo "milena: cargo is not on the PATH; install Rust (rustup) and try again" >&2; exit 1; }
	@command -v cc >/dev/null || { \
	  echo "milena: no C compiler (cc) on the PATH; Rust links with it and zstd is built with it" >&2; exit 1; }

lint-parts: rust
	@$(CARGO) fmt --version >/dev/null 2>&1 && $(CARGO) clippy --version >/dev/null 2>&1 || \
	  rustup component add rustfmt clippy || { \
	  echo "milena: rustfmt and clippy are needed: rustup component add rustfmt clippy" >&2; exit 1; }
