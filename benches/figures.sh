#!/usr/bin/env bash
# Measures a release build on this machine and prints a report: the engine against candle-transformers, the demo, memory,
# accuracy, sizes. Run it while nothing else runs, and keep what is worth keeping:
#
#   benches/figures.sh > benches/results/$(date +%F)-NAME.md
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --quiet --release
talon="${CARGO_TARGET_DIR:-target}/release/talon"
data=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; rm -rf "$data"' EXIT
server=

echo "# Figures of $(date +%F)"
echo
echo "| | |"
echo "|---|---|"
echo "| commit | $(git rev-parse --short HEAD) |"
echo "| processor | $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores |"
echo "| memory | $(awk '/MemTotal/ {printf "%.0f GiB", $2 / 1048576}' /proc/meminfo) |"
echo "| compiler | $(rustc --version) |"
echo "| binary | $(stat -c %s "$talon" | awk '{printf "%.1f MB", $1 / 1e6}'), with the model ($(stat -c %s models/pocket/pocket.gguf | awk '{printf "%.1f MB", $1 / 1e6}')) and the examples |"
echo
echo "## The demo, five runs (\`talon demo --json\`)"
echo
echo "| run | to the first result, s | all tasks, s | whole command, s | tasks/min |"
echo "|---|---|---|---|---|"
for run in 1 2 3 4 5; do
    start=$(date +%s.%N)
    "$talon" demo --json >"$data/demo.json"
    python3 - "$run" "$start" "$data/demo.json" <<'PY'
import json, sys, time
run, start, path = sys.argv[1], float(sys.argv[2]), sys.argv[3]
report = json.load(open(path))
print(f"| {run} | {report['first_result_seconds']:.2f} | {report['seconds']:.1f} | {time.time() - start:.1f} | {report['tasks_per_minute']:.0f} |")
PY
done
echo
echo "## Resident memory (\`talon serve\`, then every sample invoice, order and receipt)"
echo
TALON_DATA_DIR="$data" "$talon" serve --listen 127.0.0.1:18400 2>"$data/log" &
server=$!
until curl -fs http://127.0.0.1:18400/readyz >/dev/null; do kill -0 "$server"; done
resident() { awk -v key="$1:" '$1 == key {printf "%.0f MB", $2 / 1024}' "/proc/$server/status"; }
echo "- idle, model loaded: $(resident VmRSS)"
"$talon" enqueue --url http://127.0.0.1:18400 --agent data-extraction --out "$data/out.csv" \
    examples/invoices examples/orders examples/receipts >/dev/null 2>&1
echo "- after the work: $(resident VmRSS), at most $(resident VmHWM)"
kill "$server"; wait "$server" || true; server=
echo
echo "## Accuracy through the whole product (\`talon eval\`, greedy, constrained decoding)"
echo
echo '```'
"$talon" eval 2>/dev/null
echo '```'
echo
echo "## The engine against candle-transformers' \`quantized_llama\`, run sequentially on the same file (\`cargo bench --bench engine\`)"
echo
for threads in 1 "$(nproc)"; do
    echo "With CANDLE_NUM_THREADS=$threads:"
    echo '```'
    CANDLE_NUM_THREADS=$threads cargo bench --quiet --bench engine 2>/dev/null | grep -v '^{'
    echo '```'
done
