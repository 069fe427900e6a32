# `make` prints what there is to do. The logic lives in Rust and in .ci/.

.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## Prints this list.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16
run: ## Runs the chat job on events that it makes itself; Ctrl-C ends it.
	cargo run --release
test: ## Installs the servers that tests start, if they are missing, and runs all tests.
	.ci/setup && cargo test --workspace --all-features
check: ## Checks the formatting and lints everything; warnings are errors.
	cargo fmt --all --check && cargo clippy --workspace --all-targets --all-features -- -D warnings
docs: ## Builds the documentation of the API; warnings are errors.
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --lib --no-deps --all-features
deny: ## Checks licences, duplicates and advisories of all dependencies.
	.ci/deny
ci: ## Runs everything that a change must pass, and prints what each stage cost.
	.ci/run
bench: ## Lists and runs the experiments.
	cargo build --release --package highwater-bench
	cargo run --release --package highwater-bench --bin highwater-bench
bars: ## Measures all that the bars are about (an hour; `make peers` first), and writes their table.
	cargo build --release --package highwater-bench --features abomonation
	bench/bars.sh $${CARGO_TARGET_DIR:-target}/release/highwater-bench
paper: ## Builds paper/build/paper.pdf from run folders, RUNS=… (default: the published ones).
	paper/build.sh $(RUNS)
paper-smoke: ## Runs all experiments of Highwater at 1/1000 of their size, and builds the paper of them.
	cargo build --release --package highwater-bench
	paper/smoke.sh $${CARGO_TARGET_DIR:-target}/release/highwater-bench
peers: ## Installs Spark, Flink and Kafka Streams, which are measured beside Highwater.
	bench/peers/setup.sh
services-up: ## Starts Kafka and PostgreSQL on this machine and prints how to reach them.
	@cargo run --quiet --example services --features testing -- up
services-down: ## Stops them; their data stay.
	@cargo run --quiet --example services --features testing -- down
oracle: ## Compares every view with Spark on generated events; needs Java and pip.
	bench/spark/oracle.sh
simulate: ## Runs jobs on simulated machines; HIGHWATER_SEED=n one seed, HIGHWATER_CASES=n many.
	cargo test --release --test highwater --all-features simulation -- --nocapture
oracle-full: ## Compares the engine with the oracle on 100,000 random jobs.
	HIGHWATER_CASES=100000 cargo test --release --test highwater --all-features oracle
fuzz: ## Gives each decoder ten minutes of mutated inputs (HIGHWATER_FUZZ_SECONDS).
	HIGHWATER_FUZZ_SECONDS=$${HIGHWATER_FUZZ_SECONDS:-600} \
		cargo test --release --lib --all-features -- --nocapture --test-threads 2 fuzz::
torture: oracle-full fuzz ## Runs what is too long for `make test`: all random jobs, a thousand kills, long faults.
	HIGHWATER_CASES=2000 $(MAKE) simulate
	HIGHWATER_KILLS=1000 cargo test --test highwater --all-features torture:: -- --nocapture
	HIGHWATER_TORTURE=1 cargo test --test highwater --all-features network
