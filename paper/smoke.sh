#!/usr/bin/env bash
# Runs every experiment of our own engine at 1/1000 scale, and builds the paper of what they gave.
# Its figures mean nothing; that all of it still works does. The run folders stay in build/runs.
#
#   paper/smoke.sh highwater-bench      the program, with `bench-highwater` beside it
set -euo pipefail
cd "$(dirname "$0")/.."

bench=$1
results=paper/build/runs
rm -rf "$results"
mkdir -p "$results"
own=(--engine highwater --engine single_thread --engine consume --engine decode)
"$bench" list > "$results/list"
for experiment in $(sed '/^$/q' "$results/list" | cut -d ' ' -f 1); do
    began=$SECONDS
    engines=("${own[@]}")
    # A grid of many points: one engine of them, as the answer is computed apart.
    [ "$experiment" != windows ] || engines=(--engine highwater)
    "$bench" run "$experiment" "${engines[@]}" --scale 0.001 --rounds 1 --results "$results"
    echo "$experiment: $((SECONDS - began)) s"
done
paper/build.sh "$results"
python3 paper/failed.py "$results"
