#!/usr/bin/env bash
# Makes the expected rows of tests/golden/spark anew, with Spark, from the inputs that lie there.
#
#   bench/spark/golden.sh [SYSTEM…]
set -euo pipefail
cd "$(dirname "$0")/../.."
source bench/spark/setup.sh

root=tests/golden/spark
for case in "$root"/*/*/; do
    system=$(basename "$(dirname "$case")")
    if [ $# != 0 ] && [[ " $* " != *" $system "* ]]; then
        continue
    fi
    rm -rf "$case/expected"
    "$python" bench/spark/oracle.py --system "$system" --input "$case/input" \
        --output "$case/expected" 2>&1 | sed "s|^|$system, $(basename "$case"), |"
done
