# Everything a newcomer needs: `make devnet` and `make test`. The rest is for contributors.

MAKEFLAGS += --no-print-directory
FORGE = "$$(node script/tool.js forge)"
NPM = node_modules/.package-lock.json

# Wherever a user's cargo puts its builds, the programs below are started from here.
export CARGO_TARGET_DIR = $(CURDIR)/target

.PHONY: help devnet test check gas audit mutation mutation-rust seeded-bugs histories replay soak bench bench-backfill bench-head bench-reads bench-api smoke fuzz-api fmt artifacts openapi screenshot

help:
	@echo 'make devnet      run the whole system on a local chain (ARGS="--json …": see make devnet ARGS=--help)'
	@echo 'make test        all tests: contracts, artifacts, Rust, the whole system on anvil'
	@echo 'make check       formatting, lints, documentation, gas'
	@echo 'make gas         what every transaction costs, against its target, its floor and the last snapshot'
	@echo 'make audit       every check there is and one table of results (ONLY="slither coverage": some of them)'
	@echo 'make mutation    change the contract in one place at a time: does a test fail? (ARGS="--only withdraw")'
	@echo '  mutation-rust    the same with the rules of the indexer, by cargo-mutants (ARGS="--re decide.rs")'
	@echo 'make seeded-bugs put one known mistake at a time into contract or indexer: which test finds it? (ONLY="meter-off-by-one …")'
	@echo 'make soak        two hundred kills, mixtures of faults, random histories, an hour of traffic (MINUTES=60): for who changes how the chain is followed'
	@echo '                 HOURS=8: so long random histories with new seeds in place of all that; those that differ are kept'
	@echo 'make histories   random histories, the model beside them after each step (HISTORIES=10000 SEED=1)'
	@echo 'make replay      one of them again (HISTORY=tests/anvil/histories/…)'
	@echo 'make bench       the four benchmarks of the indexer; the last line of each is a JSON object'
	@echo '  bench-backfill   how fast it reads a chain, beside the floor (EVENTS="100000 1000000": chains of so many events)'
	@echo '  bench-head       how late a new block is in the database (BLOCKS=1000: so many blocks)'
	@echo '  bench-api        how many reads the API answers beside a bare handler, and how late (EVENTS=1000000: on a chain of so many events)'
	@echo '  bench-reads      how long reads take in a large database (SIZES="10000 10000000": beside a small one)'
	@echo 'make smoke       start a devnet as a user would, and compare what it serves with the chain'
	@echo 'make fuzz-api    ask the API what its description allows, and what it does not (MINUTES=10, INTERNAL=1: /internal/v1)'
	@echo 'make screenshot  take docs/status-page.png again, with the Chromium on PATH or the one that CHROMIUM names'
	@echo 'make fmt         format everything'
	@echo 'make artifacts   compile the contracts into bindings/artifacts'
	@echo 'make openapi     write what the API says of itself into indexer/openapi.json'

# The last line replaces the shell, and cargo is not in between: the devnet is make's own child, and sees what make is told.
devnet: $(NPM)
	@cargo build --workspace
	@exec target/debug/luxxon devnet $(ARGS)

test: $(NPM)
	$(FORGE) test
	cargo build --workspace
	cargo test --workspace
	cargo test --package luxxon-script --no-default-features --features compile

check: $(NPM)
	cargo fmt --check
	$(FORGE) fmt --check contracts tests
	cargo clippy --workspace --all-targets -- --deny warnings
	cargo clippy --package luxxon-script --all-targets --no-default-features --features compile -- --deny warnings
	RUSTDOCFLAGS='--deny warnings' cargo doc --workspace --no-deps
	node tests/gas/run.js
	node --test tests/seeded-bugs/seeded-bugs.test.js

gas: $(NPM)
	@node tests/gas/run.js $(ARGS)

audit: $(NPM)
	@node tests/audit/run.js $(ONLY)

mutation: $(NPM)
	@node tests/mutation/run.js $(ARGS)

mutation-rust: $(NPM)
	@node tests/mutation/rust.js $(ARGS)

seeded-bugs: $(NPM)
	@node tests/seeded-bugs/run.js $(ONLY)

# Of a release build, for those that are many; what is deployed is built so.
ONE_TEST = --package luxxon-tests --test system -- --ignored --nocapture --exact

histories: $(NPM)
	HISTORIES=$(or $(HISTORIES),10000) SEED=$(or $(SEED),1) cargo test --release $(ONE_TEST) histories::as_many_histories_as_are_asked_for_differ_in_nothing

replay: $(NPM)
	HISTORY=$(HISTORY) cargo test $(ONE_TEST) histories::a_history_is_played_again

soak: $(NPM)
ifdef HOURS
	HOURS=$(HOURS) cargo test --release $(ONE_TEST) histories::soak_new_histories_differ_in_nothing
else
	cargo build --workspace
	cargo test --package luxxon-tests --test system -- --ignored soak_ --test-threads 1 --nocapture
endif

# A release build of everything that is measured. The last line of each is one JSON object; progress is on standard error.
BENCH = cargo build --quiet --release --workspace --bins && cargo bench --quiet --package luxxon-tests --bench

bench: bench-backfill bench-head bench-api bench-reads

bench-backfill: $(NPM)
	@$(BENCH) backfill -- $(EVENTS)

bench-head: $(NPM)
	@$(BENCH) head -- $(BLOCKS)

bench-reads: $(NPM)
	@$(BENCH) reads -- $(SIZES)

bench-api: $(NPM)
	@$(BENCH) api -- $(EVENTS)

smoke:
	tests/smoke

# Not part of the tests: it takes as long as it is given.
fuzz-api: $(NPM)
	cargo build --workspace
	MINUTES=$(or $(MINUTES),10) INTERNAL=$(INTERNAL) tests/schemathesis

screenshot: $(NPM)
	cargo build --workspace
	@node tests/page/screenshot.js

fmt: $(NPM)
	cargo fmt
	$(FORGE) fmt contracts tests

artifacts: $(NPM)
	cargo run --package luxxon-script --no-default-features --features compile -- compile

# Built first: a redirection would leave an empty file where the build fails.
openapi:
	cargo build --package luxxon-indexer
	target/debug/luxxon-indexer openapi >indexer/openapi.json
	target/debug/luxxon-indexer openapi --internal >indexer/openapi.internal.json

# Standard output belongs to `make devnet ARGS=--json`.
$(NPM): package.json package-lock.json
	@echo 'installing from npm: the Solidity toolchain, and what drives the browser of a test' >&2
	@npm ci >&2
	@touch $@
