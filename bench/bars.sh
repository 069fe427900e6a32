#!/usr/bin/env bash
# Measures all that the bars are about, publishes the run folders, and writes the table of the bars
# into docs/performance.md. An hour on a machine that does nothing else; commit first, as a run of
# a tree with changes is marked.
#
#   bench/bars.sh highwater-bench [EXPERIMENT…]   the program, with `bench-highwater` beside it;
#                                                 `cases` is what is measured within one process
set -euo pipefail
cd "$(dirname "$0")/.."

bench=$1
shift
[ $# != 0 ] || set -- cases start backlog nexmark elearning systems transfers latency
results=bench/results
published=$results/published

for experiment in "$@"; do
    began=$SECONDS
    case $experiment in
        cases) "$bench" cases a d e i --repetitions 5 ;;
        *) "$bench" run "$experiment" --results "$results" ;;
    esac
    echo "$experiment: $((SECONDS - began)) s" >&2
done

# Behind all of them: what is published is a change of the tree.
for experiment in "$@"; do
    if [ "$experiment" = cases ]; then
        newest=$(ls -d "$results"/2*-bench-* | tail -n 1)
    else
        newest=$(ls -d "$results"/2*-"$experiment"-* | tail -n 1)
        rm -rf "$published"/2*-"$experiment"-*
    fi
    cp -r "$newest" "$published/"
    rm -rf "$published/${newest##*/}/logs"
done
"$bench" bars --results "$published" --write docs/performance.md
