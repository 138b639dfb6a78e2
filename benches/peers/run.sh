#!/usr/bin/env bash
# Runs benches/peers.rs over models of random weights, made once, or over MODELS. `make bench-peers` says what can be set.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder="${XDG_CACHE_HOME:-$HOME/.cache}/talon/peers"
llama=$(bash benches/peers/llama.sh "$folder")
read -ra models <<<"${MODELS:-}"
if [ ${#models[@]} -eq 0 ]; then
    for shape in $SHAPES; do
        for format in $FORMATS; do
            model="$folder/$shape-$format.gguf"
            [ -e "$model" ] || cargo run --release -- model synth --shape "$shape" --format "$format" "$model"
            models+=("$model")
        done
    done
fi
arguments=(--llama "$llama" --rounds "$ROUNDS")
[ -z "${LONG:-}" ] || arguments+=(--long)
for model in "${models[@]}"; do
    arguments+=(--model "$(realpath "$model")")
done
CANDLE_NUM_THREADS=$(nproc) cargo bench --bench peers -- "${arguments[@]}"
# What of this is the machine's limit, how much memory it takes, and how long until a model is ready.
for model in "${models[@]}"; do
    cargo run --quiet --release -- model bench "$model" --runs "$ROUNDS" ${LONG:+--long}
done
# What a step costs besides the forward pass.
cargo run --quiet --release -p inference --example scheduler
