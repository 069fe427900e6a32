# The versions of the peers, and where they are installed. To be sourced.

spark=4.3.0
# The newest connector on 2026-11-25; it runs on Spark 4.3, Real-Time Mode included.
spark_kafka=4.2.0
spark_kafka_clients=3.9.2
commons_pool=2.13.1

flink=2.3.0
# Built for Flink 2.2; there is none for 2.3 yet.
flink_kafka=5.0.0-2.2

kafka_streams=4.4.0
jackson=2.21.7
slf4j=1.7.36

peers=${HIGHWATER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/highwater}/peers

# Each engine's pins in one line. What `run.sh ENGINE --version` prints, and what an installation
# is marked with: one that bears another line is made anew.
pins() {
    case $1 in
        spark) echo "spark $spark, connector $spark_kafka, clients $spark_kafka_clients" ;;
        flink) echo "flink $flink, connector $flink_kafka" ;;
        kafka_streams) echo "kafka_streams $kafka_streams, jackson $jackson" ;;
        *) return 1 ;;
    esac
}

# The checksum of the Java sources of an engine, which its compiled classes are marked with.
sources_sum() { cat bench/peers/"$1"/*.java | cksum; }
