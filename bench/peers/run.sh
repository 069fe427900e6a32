#!/usr/bin/env bash
# Runs a job of an engine that Highwater is compared with; README.md has the contract.
#
#   bench/peers/run.sh ENGINE JOB.properties     ENGINE is spark, flink or kafka_streams
#   bench/peers/run.sh ENGINE --version          its versions in one line
#
# The engine takes the place of this process, so signals and accounting reach it.
set -euo pipefail
cd "$(dirname "$0")/../.."
source bench/peers/versions.sh

usage() {
    sed -n 's/^#   //p' bench/peers/run.sh >&2
    exit 64
}

[ $# = 2 ] || usage
engine=$1
pins=$(pins "$engine") || usage
[ "$(cat "$peers/$engine/installed" 2> /dev/null)" = "$pins" ] || {
    echo "$pins is not installed; run: make peers" >&2
    exit 69
}
if [ "$2" = --version ]; then
    echo "$pins"
    exit
fi
job=$2
[ "${job#/}" != "$job" ] || job=$OLDPWD/$job
[ -r "$job" ] || {
    echo "cannot read $job" >&2
    exit 65
}

# property NAME DEFAULT
property() {
    local value
    value=$(sed -n "s/^$1 *= *//p" "$job")
    echo "${value:-$2}"
}

for name in brokers output query rows mode parallelism linger_ms work; do
    [ -n "$(property "$name" '')" ] || {
        echo "$job does not say \`$name\`" >&2
        exit 65
    }
done
mkdir -p "$(property work '')"

# java_job HEAP CLASS [OPTION…]
java_job() {
    local heap=$1 class=$2
    shift 2
    [ "$(cat "$peers/$engine/classes/sources" 2> /dev/null)" = "$(sources_sum "$engine")" ] || {
        echo "the jobs of $engine have changed since they were compiled; run: make peers" >&2
        exit 69
    }
    # The parallel collector takes less CPU, the default one pauses for less long.
    [ "$(property mode '')" != backlog ] || set -- -XX:+UseParallelGC "$@"
    exec java "-Xmx$(property heap "$heap")" "$@" \
        -cp "$peers/$engine/classes:$peers/$engine/lib/*" "$class" "$job"
}

case $engine in
    spark)
        export PYTHONDONTWRITEBYTECODE=1 PYSPARK_PYTHON=$peers/spark/venv/bin/python
        export SPARK_KAFKA_JARS=$peers/spark/connector
        exec "$PYSPARK_PYTHON" bench/peers/spark/job.py "$job" ;;
    flink)
        java_job 2g FlinkJob -Dlog4j.configurationFile=bench/peers/flink/log4j2.properties \
            --add-opens=java.base/java.util=ALL-UNNAMED \
            --add-opens=java.base/java.lang=ALL-UNNAMED ;;
    kafka_streams)
        # A warning for each row that is dropped would cost time; the job says how many they are.
        logger=org.slf4j.simpleLogger
        window=org.apache.kafka.streams.kstream.internals.KStreamWindowAggregate
        java_job 1g KafkaStreamsJob \
            "-D$logger.defaultLogLevel=warn" "-D$logger.log.$window=error" ;;
esac
