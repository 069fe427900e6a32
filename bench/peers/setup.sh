#!/usr/bin/env bash
# Installs the engines that Highwater is compared with: Spark and Flink from PyPI, their connectors
# and Kafka Streams from Maven Central, in the versions of `versions.sh`, into the cache folder.
# Compiles the jobs that are Java. What is there already is kept.
#
#   bench/peers/setup.sh                 all three
#   bench/peers/setup.sh flink           some of them
set -euo pipefail
cd "$(dirname "$0")/../.."
source bench/peers/versions.sh

engines=("$@")
[ $# != 0 ] || engines=(spark flink kafka_streams)
for engine in "${engines[@]}"; do
    pins "$engine" > /dev/null || {
        echo "no engine named $engine; there are spark, flink, kafka_streams" >&2
        exit 64
    }
done

require() {
    local missing=() packages=() release=
    release=$(javac -version 2>&1 | sed -n 's/^javac \([0-9]*\).*/\1/p') || true
    if ! command -v java > /dev/null || [ "${release:-0}" -lt 17 ]; then
        missing+=('java and javac 17 or newer')
        packages+=(openjdk-17-jdk-headless)
    fi
    command -v mvn > /dev/null || { missing+=(mvn) && packages+=(maven); }
    python3 -c 'import ensurepip, venv' 2> /dev/null || {
        missing+=('python3 with venv')
        packages+=(python3-venv)
    }
    if [ ${#missing[@]} != 0 ]; then
        printf 'missing: %s\n' "${missing[@]}" >&2
        echo "on Debian: sudo apt-get install ${packages[*]}" >&2
        exit 1
    fi
}

installed() { [ "$(cat "$peers/$1/installed" 2> /dev/null)" = "$(pins "$1")" ]; }

download_size() {
    case $1 in
        spark) echo '456 MB from PyPI (its source, built in a minute), 10 MB from Maven' ;;
        flink) echo '329 MB from PyPI, 11 MB from Maven' ;;
        kafka_streams) echo '97 MB from Maven' ;;
    esac
}

# jars FOLDER GROUP:ARTIFACT:VERSION…: copies the jars, and with `transitive` set those that they
# need, through a project that has nothing else.
jars() {
    local folder=$1 coordinates group artifact version pom
    shift
    mkdir -p "$folder"
    pom=$folder/pom.xml
    {
        echo '<project><modelVersion>4.0.0</modelVersion>'
        echo '<groupId>highwater</groupId><artifactId>peers</artifactId><version>1</version>'
        echo '<dependencies>'
        for coordinates in "$@"; do
            IFS=: read -r group artifact version <<< "$coordinates"
            echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId>" \
                "<version>$version</version></dependency>"
        done
        echo '</dependencies></project>'
    } > "$pom"
    mvn -B -l "$folder/maven.log" -f "$pom" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$folder" \
        -DexcludeTransitive="$([ -n "${transitive:-}" ] && echo false || echo true)" > /dev/null || {
        grep ERROR "$folder/maven.log" >&2
        return 1
    }
}

install_spark() {
    python3 -m venv "$1/venv"
    "$1/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir \
        "pyspark==$spark"
    jars "$1/connector" \
        "org.apache.spark:spark-sql-kafka-0-10_2.13:$spark_kafka" \
        "org.apache.spark:spark-token-provider-kafka-0-10_2.13:$spark_kafka" \
        "org.apache.kafka:kafka-clients:$spark_kafka_clients" \
        "org.apache.commons:commons-pool2:$commons_pool"
}

# The wheel holds a whole Flink; only its jars are kept, so no Python runs in this peer.
install_flink() {
    mkdir -p "$1/wheel"
    python3 -m venv "$1/venv"
    "$1/venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-cache-dir \
        --no-deps --dest "$1/wheel" "apache-flink-libraries==$flink"
    (cd "$1/wheel" && python3 -m zipfile -e ./*.whl . 2> /dev/null || tar -xzf ./*.tar.gz)
    find "$1/wheel" -path '*/pyflink/lib' -exec mv {} "$1/lib" \; -prune
    rm -rf "$1/wheel" "$1/venv"
    jars "$1/lib" "org.apache.flink:flink-sql-connector-kafka:$flink_kafka"
}

install_kafka_streams() {
    transitive=1 jars "$1/lib" \
        "org.apache.kafka:kafka-streams:$kafka_streams" \
        "com.fasterxml.jackson.core:jackson-core:$jackson" \
        "org.slf4j:slf4j-simple:$slf4j"
}

compile() {
    local classes=$peers/$1/classes
    if [ "$(cat "$classes/sources" 2> /dev/null)" != "$(sources_sum "$1")" ]; then
        rm -rf "$classes"
        javac --release 17 -Xlint:all,-processing,-classfile,-serial -d "$classes" \
            -cp "$peers/$1/lib/*" bench/peers/"$1"/*.java
        sources_sum "$1" > "$classes/sources"
    fi
}

require
new=()
for engine in "${engines[@]}"; do
    installed "$engine" || new+=("$engine")
done
[ ${#new[@]} = 0 ] || echo "into $peers:"
for engine in "${new[@]}"; do
    echo "  $(pins "$engine"): $(download_size "$engine")"
done
for engine in "${engines[@]}"; do
    if ! installed "$engine"; then
        # Not in its place before it is whole.
        rm -rf "$peers/$engine.part"
        mkdir -p "$peers/$engine.part"
        "install_$engine" "$peers/$engine.part"
        pins "$engine" > "$peers/$engine.part/installed"
        rm -rf "${peers:?}/$engine"
        mv "$peers/$engine.part" "$peers/$engine"
    fi
    [ "$engine" = spark ] || compile "$engine"
    echo "ready: $(pins "$engine")"
done
