"""Kafka topics as streams, and the triggers of queries."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming import StreamingQuery


def read(spark: SparkSession, job: dict[str, str], topic: str) -> DataFrame:
    """The records of a topic, as the connector gives them."""
    reader = spark.readStream.format("kafka").option("subscribe", topic)
    reader = reader.option("kafka.bootstrap.servers", job["brokers"])
    backlog = job["mode"] == "backlog"
    return reader.option("startingOffsets", "earliest" if backlog else job["start"]).load()


def write(rows: DataFrame, job: dict[str, str], name: str) -> StreamingQuery:
    """Starts a query that writes `rows`, whose column `value` is a text, to the output topic; or,
    where that is called `noop`, computes them and writes nothing."""
    writer = rows.writeStream.queryName(name)
    writer = writer.outputMode("update" if job["rows"] == "update" else "append")
    writer = writer.option("checkpointLocation", f"{job['work']}/checkpoints/{name}")
    if job["output"] == "noop":
        writer = writer.format("noop")
    else:
        writer = writer.format("kafka").option("topic", job["output"])
        writer = writer.option("kafka.bootstrap.servers", job["brokers"])
        writer = writer.option("kafka.linger.ms", job["linger_ms"])
    return writer.trigger(**trigger(job["trigger"])).start()


def trigger(words: str) -> dict:
    match words.split(" ", 1):
        case ["available_now"]:
            return {"availableNow": True}
        case ["realtime", interval]:
            return {"realTime": interval}
        case _:
            return {"processingTime": words}
