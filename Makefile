# The project's commands. `make demo` needs a Rust toolchain, gcc and make, and nothing else; `make test` needs python3
# with venv, npm, redis-server, postgresql and prometheus too, and has apt install them where they are missing.

.PHONY: help demo eval test chaos lint fmt clippy doc deny deny-advisories typos bench bench-peers bench-server bench-queue bench-queue-peers model

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile

demo: ## run the sample documents through the five agents
	cargo run --release -- demo

eval: ## score the agents on the cases of config/evals
	cargo run --release -- eval

# Candle's threads spin while they wait; with several tests at once they would only keep each other from working.
test: ## every test of every crate, and the documentation's examples
	CANDLE_NUM_THREADS=1 cargo test --workspace

# Needs root, for a disk that fills, and what `make test` needs. A seed that failed runs again with SEED=.
SEEDS ?= 20
chaos: ## kill, stop, cut off and fill everything, by seed, and account for every task; SEEDS=200, SEED=17, FROM=1, LANES=2
	cargo build --package talon
	cargo run --package chaos -- $(if $(SEED),--seed $(SEED),--seeds $(SEEDS)) $(if $(FROM),--from $(FROM)) \
		$(if $(LANES),--lanes $(LANES)) $(if $(LAYOUT),--layout $(LAYOUT))

lint: fmt clippy doc deny typos ## everything that is checked besides the tests

fmt: ## formatting
	cargo fmt --all --check

clippy: ## lints; a warning is an error
	cargo clippy --workspace --all-targets -- -D warnings

doc: ## documentation; a broken link is an error
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Advisories need a database from the network: `make deny-advisories` where it can be reached.
deny: ## licences, bans and sources of the dependencies
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny check licenses bans sources

deny-advisories: ## known vulnerabilities in the dependencies
	cargo deny check advisories

typos: ## spelling
	@command -v typos >/dev/null || cargo install --locked typos-cli
	typos

bench: ## the engine against candle-transformers, on the bundled model
	cargo bench --bench engine

# Needs python3 with venv, g++ and 3 GB (of 7b 16 GB more): llama.cpp is built and the models are made once, in the cache.
SHAPES ?= 1b
FORMATS ?= q4_k_m q4_0 q8_0
ROUNDS ?= 5
bench-peers: ## the engine against llama.cpp and candle-transformers; SHAPES="1b 7b", MODELS=, ROUNDS=, LONG=1
	SHAPES="$(SHAPES)" FORMATS="$(FORMATS)" MODELS="$(MODELS)" ROUNDS="$(ROUNDS)" LONG="$(LONG)" benches/peers/run.sh

# Needs what bench-peers needs.
bench-server: ## the server against llama-server, and what prefixes, schemas and drafts are worth; WORKS=pool, ROUNDS=
	benches/server/run.sh

# PostgreSQL and Redis are started by the bench, and installed by apt where they are missing.
SCALE ?= 1
bench-queue: ## tasks through PostgreSQL with Redis, and SQLite: submits, end to end, losses; SCALE=
	cargo bench --bench durable -- --scale $(SCALE)

# Needs python3 with venv, node and npm, and twelve minutes.
bench-queue-peers: ## the queue against bullmq, apalis, taskiq and Celery on one Redis; SCALE=
	SCALE="$(SCALE)" benches/peers/queue/run.sh

# Needs Python and three hours; models/pocket/README.md says more.
model: ## retrain the bundled model
	cd models/pocket && pip install -r requirements.txt
	cd models/pocket && python train.py --minutes 180
	cd models/pocket && python export.py "$${XDG_CACHE_HOME:-$$HOME/.cache}/talon-pocket/checkpoint.pt" pocket.gguf
