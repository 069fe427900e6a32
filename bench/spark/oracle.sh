#!/usr/bin/env bash
# Compares Highwater with Spark on generated events: every view of every system, with 1, 2 and 4
# workers and with both engines.
#
#   bench/spark/oracle.sh            all systems that the binary has
#   bench/spark/oracle.sh chat shop  some of them
#
# SEEDS (default "1 2 3") and EVENTS (12000) say how much; HIGHWATER names a binary that is built
# already. What is written lies in a folder for temporary files; it stays if anything differs.
set -euo pipefail
cd "$(dirname "$0")/../.."
source bench/spark/setup.sh

if [ -z "${HIGHWATER:-}" ]; then
    cargo build --quiet --release --bin highwater
    HIGHWATER=${CARGO_TARGET_DIR:-target}/release/highwater
fi
scratch=$(mktemp -d "${TMPDIR:-/tmp}/highwater-oracle-XXXXXX")
different=0

# The ways in which events of a system are made, a line each. Disorder stays below the lateness, and
# nothing is repeated long after, so that nothing is late: Spark in batch mode knows no late data.
ways() {
    local faults='--null-fields 0.05 --bad-json 0.01 --no-time 0.01'
    case $1 in
        chat)
            local chat="--rate 12 --keys 5 --users 60 --negative 0.2 --spikes 12 --disorder 6s"
            echo "$chat $faults --dialect producer"
            echo "$chat $faults --dialect job" ;;
        elearning)
            echo "--rate 10 --disorder 100s $faults --profile full --dialect job"
            echo "--rate 10 --disorder 100s $faults --profile full --dialect producer"
            echo "--rate 10 --disorder 100s $faults --profile upstream" ;;
        campus)
            echo "--rate 5 --disorder 50s $faults --zone Asia/Ho_Chi_Minh"
            # So slow that sessions end.
            echo "--rate 0.05 --disorder 50s $faults --zone Asia/Ho_Chi_Minh" ;;
        market)
            echo "--rate 6 --disorder 100s $faults"
            echo "--rate 6 --disorder 100s $faults --batch upstream" ;;
        shop)
            echo "--rate 10 --keys 200 --disorder 4m $faults --types product_review=0.05"
            echo "--rate 10 --keys 50 --disorder 4m $faults --sessions real" ;;
    esac
}

# Puts each file of a topic into the folder of the port that reads it.
sort_by_port() {
    local file topic port
    for file in "$1"/*.jsonl; do
        topic=$(basename "$file")
        topic=${topic%-*}
        case $topic in
            telemetra.events.chat) port=chat ;;
            telemetra.events.viewer) port=viewers ;;
            streaming-events) port=events ;;
            *) port=${topic%_topic} ;;
        esac
        mkdir -p "$2/$port"
        mv "$file" "$2/$port/"
    done
}

# run SYSTEM INPUT OUTPUT WORKERS ENGINE: Highwater over the files of INPUT. The views that Spark
# has computed go to files; alerts, which Spark does not raise, are shown to nobody.
run() {
    local view
    mkdir -p "$3"
    {
        printf '[source."*"]\nfile = { path = "%s/{source}" }\n' "$2"
        printf '[view."*"]\nengine = "%s"\n' "$5"
        printf '[sink."*"]\nblackhole = {}\n'
        for view in "$(dirname "$2")"/spark/*.csv; do
            view=$(basename "$view" .csv)
            printf '[sink.%s]\nfile = { path = "%s/%s.csv" }\nrows = "final"\n' \
                "$view" "$3" "$view"
        done
    } > "$3/job.toml"
    "$HIGHWATER" run "$1" -c "$3/job.toml" -w "$4" --no-latency > /dev/null 2> "$3/log" || {
        cat "$3/log" >&2
        return 1
    }
}

compare() {
    local system=$1 case=$2 way=$3 seed=$4 workers engine
    # The way is several words.
    # shellcheck disable=SC2086
    "$HIGHWATER" generate "$system" --files "$case/raw" --unpaced --seed "$seed" \
        --events "${EVENTS:-12000}" --start 2026-03-01T12:00:00Z $way 2> /dev/null
    sort_by_port "$case/raw" "$case/input"
    "$python" bench/spark/oracle.py --system "$system" --input "$case/input" \
        --output "$case/spark" 2> "$case/spark.log" || {
        cat "$case/spark.log" >&2
        return 1
    }
    local shown=
    for engine in hash differential; do
        for workers in 1 2 4; do
            local ours=$case/$engine-$workers
            run "$system" "$case/input" "$ours" "$workers" "$engine"
            if grep -qE ' late( windows|: )' "$ours/log"; then
                echo "the case is of no use, as events are late; see $ours/log" >&2
                return 1
            fi
            if ! python3 bench/spark/compare.py "$case/spark" "$ours" > "$ours/compared"; then
                different=1
                # The other runs mostly differ alike.
                [ -n "$shown" ] || grep -v ': equal$' "$ours/compared"
                shown=1
            fi
            echo "$system, seed $seed, $way, $engine, -w $workers: $(tail -n 1 "$ours/compared")"
        done
    done
}

if [ $# = 0 ]; then
    mapfile -t systems < <("$HIGHWATER" list jobs | sed -n 's|^  \([a-z]*\)/.*|\1|p' | sort -u)
else
    systems=("$@")
fi
for system in "${systems[@]}"; do
    number=0
    while read -r way; do
        number=$((number + 1))
        for seed in ${SEEDS:-1 2 3}; do
            case=$scratch/$system-$number-$seed
            mkdir -p "$case"
            compare "$system" "$case" "$way" "$seed" < /dev/null
        done
    done < <(ways "$system")
done
if [ "$different" = 0 ]; then
    rm -rf "$scratch"
else
    echo "what differs lies in $scratch"
    exit 1
fi
