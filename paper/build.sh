#!/usr/bin/env bash
# Builds build/paper.pdf from run folders: numbers, a figure by each script, then the pages.
#
#   paper/build.sh FOLDER…      run folders, or folders of them; of each experiment the newest
#   PAGES=1 paper/build.sh …    also an image of each page
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# != 0 ] || set -- bench/results/published
typesetter=$(.ci/venv paper)
mkdir -p paper/build
export PYTHONPATH=paper PYTHONDONTWRITEBYTECODE=1
python3 paper/measured.py paper/build/numbers.typ "$@"
for script in paper/figures/*.py; do
    figure=$(basename "$script" .py)
    [ "$figure" = plot ] || python3 "$script" "paper/build/$figure.svg" "$@"
done
"$typesetter/bin/python" paper/typeset.py
[ -z "${PAGES:-}" ] || "$typesetter/bin/python" paper/typeset.py --pages
