#!/usr/bin/env bash
# Talon's queue against others on one redis-server: tasks/s, latency at half load, and what a killed worker costs. Builds and
# installs what it needs into WORK, prints a report, and writes the figures to JSON. Run it while nothing else runs (about
# twelve minutes, SCALE=0.05 for a trial):
#
#   benches/peers/queue/run.sh [--peers talon bullmq-rust …] [--only-kills]
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
work="${WORK:-${XDG_CACHE_HOME:-$HOME/.cache}/talon/peers-queue}"
json="${JSON:-$work/report.json}"
command -v redis-server >/dev/null || apt-get install --yes --no-install-recommends redis-server
mkdir -p "$work/node"
[ -x "$work/venv/bin/python" ] || python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --requirement "$here/python/requirements.txt"
cp "$here/node/package.json" "$here/node/bullmq.mjs" "$work/node/"
npm install --prefix "$work/node" --ignore-scripts --no-package-lock --no-audit --no-fund --silent
CARGO_TARGET_DIR="$work/target" cargo build --quiet --release --manifest-path "$here/Cargo.toml"
exec python3 "$here/bench.py" --work "$work" --json "$json" --scale "${SCALE:-1}" "$@"
