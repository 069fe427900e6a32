"""The peer Spark: windowed counts from a topic to a topic. README.md has the contract."""

import os
import signal
import sys
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql.streaming import StreamingQuery

import system
import windows

RTM = "realtime "


def main() -> None:
    job = read(Path(sys.argv[1]))
    # The signal is taken between two waits, as a call into the JVM must not be cut.
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    spark = session(job)
    start = system.start if job["query"] in system.SYSTEMS else windows.start
    queries = start(spark, job)
    wait_until_ready(queries)
    print("ready", flush=True)
    for query in queries:
        while not stopping and not query.awaitTermination(0.5):
            pass
    print("dropped", sum(map(dropped, queries)), flush=True)
    for query in queries:
        query.stop()
    spark.stop()


def read(path: Path) -> dict[str, str]:
    """The lines `name=value` of a file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def session(job: dict[str, str]) -> SparkSession:
    jars = sorted(map(str, Path(os.environ["SPARK_KAFKA_JARS"]).glob("*.jar")))
    # Real-Time Mode runs all tasks at once: a slot for each partition read and each shuffled. Slots
    # are threads, not cores.
    slots = 8 if job.get("trigger", "").startswith(RTM) else job["parallelism"]
    provider = "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
    # It takes less CPU; the default one pauses for less long.
    collector = "-XX:+UseParallelGC" if job["mode"] == "backlog" else "-XX:+UseG1GC"
    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": collector,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": job.get("heap", "2g"),
        # One for each partition of each query, of which a system has many; the default is 64.
        "spark.kafka.consumer.cache.capacity": "512",
        "spark.jars": ",".join(jars),
        "spark.local.dir": job["work"],
        "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
        "spark.sql.ansi.enabled": "false",
        "spark.sql.session.timeZone": system.zone(job["query"]),
        "spark.sql.shuffle.partitions": job["parallelism"],
        "spark.sql.streaming.stateStore.providerClass": provider,
        "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    extra = {name.removeprefix("extra."): job[name] for name in job if name.startswith("extra.")}
    builder = SparkSession.builder.master(f"local[{slots}]").appName("peer")
    for name, value in (settings | extra).items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    return spark


def wait_until_ready(queries: list[StreamingQuery]) -> None:
    """Until each query reads, waits for input or has ended."""
    for query in queries:
        while query.isActive and query.status["message"] in ("Initializing sources", "Starting"):
            query.awaitTermination(0.05)


def dropped(query: StreamingQuery) -> int:
    """Rows behind the watermark, as far as the last batches tell."""
    progress = query.recentProgress
    operators = (operator for batch in progress for operator in batch["stateOperators"])
    return sum(operator["numRowsDroppedByWatermark"] for operator in operators)


if __name__ == "__main__":
    main()
