#!/usr/bin/env bash
# Runs the bench of the server over a model of random weights, made once. `make bench-server` says what can be set.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder="${XDG_CACHE_HOME:-$HOME/.cache}/talon/peers"
llama=$(bash benches/peers/llama.sh "$folder")
model="${MODEL:-$folder/1b-q4_k_m.gguf}"
[ -e "$model" ] || cargo run --release -- model synth --shape 1b --format q4_k_m "$model"
read -ra works <<<"${WORKS:-}"
cargo bench --bench server -- --llama "$llama" --model "$(realpath "$model")" --rounds "${ROUNDS:-3}" "${works[@]}"
