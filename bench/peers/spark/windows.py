"""`count`, `distinct` and `latest` over the events, as Structured Streaming."""

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming import StreamingQuery

import topics

SCHEMA = "user_id string, event_type string, video_id string, timestamp timestamp, planned_us long"

# An exact distinct count is refused on streams; this is its error.
RSD = 0.02


def start(spark: SparkSession, job: dict[str, str]) -> list[StreamingQuery]:
    value = F.from_json(F.col("value").cast("string"), SCHEMA)
    events = topics.read(spark, job, job["input"]).select(value.alias("event")).select("event.*")
    events = events.withWatermark("timestamp", f"{job['delay_ms']} milliseconds")
    rows = QUERIES[job["query"]](events)
    return [topics.write(rows.select(F.to_json(F.struct("*")).alias("value")), job, "peer")]


def windowed(events: DataFrame, key: str, window: tuple[str, ...], **more: Column) -> DataFrame:
    grouped = events.groupBy(key, F.window("timestamp", *window))
    columns = {"events": F.count("*")} | more
    counted = grouped.agg(*(column.alias(name) for name, column in columns.items()))
    start = F.unix_millis("window.start").alias("start")
    return counted.select(F.col(key).alias("key"), start, *columns)


def count(events: DataFrame) -> DataFrame:
    return windowed(events, "video_id", ("1 minute",))


def distinct(events: DataFrame) -> DataFrame:
    users = F.approx_count_distinct("user_id", RSD)
    return windowed(events, "event_type", ("5 minutes", "1 minute"), users=users)


def latest(events: DataFrame) -> DataFrame:
    return windowed(events, "video_id", ("10 seconds",), planned_us=F.max("planned_us"))


QUERIES = {"count": count, "distinct": distinct, "latest": latest}
