"""The 25 views of `elearning` as 25 streaming queries of one application.

The formulas are those of `bench/spark/elearning.py`, with which Highwater's rows are checked, and
the events are in the dialect of the replaced jobs, so nothing is normalised. Two things differ from
what those jobs say, since Spark refuses to start 22 of them: distinct counts are approximate, and
the queue of gradings is joined on the window itself, which bears the watermark.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming import StreamingQuery

import topics

sys.path.append(str(Path(__file__).parents[2] / "spark"))

import elearning
import formulas
from events import typed

RSD = 0.02


def start(spark: SparkSession, job: dict[str, str]) -> list[StreamingQuery]:
    formulas.count_distinct = lambda column: F.approx_count_distinct(column, RSD)
    tables = {port: table(spark, job, port) for port in elearning.PORTS}
    return [
        topics.write(as_json(name, view(tables)), job, name) for name, view in views().items()
    ]


def table(spark: SparkSession, job: dict[str, str], port: str) -> DataFrame:
    """The events of the topic `<input><port>_topic`, with their time as `time`."""
    schema = typed(elearning.PORTS[port].fields)
    value = F.from_json(F.col("value").cast("string"), f"struct<{schema}>")
    records = topics.read(spark, job, f"{job['input']}{port}_topic")
    events = records.select(value.alias("event")).select("event.*")
    events = events.withColumn("time", F.to_timestamp("timestamp"))
    return events.withWatermark("time", f"{job['delay_ms']} milliseconds")


def views() -> dict[str, Callable[[dict[str, DataFrame]], DataFrame]]:
    # The jobs' dialect has one field in an event, so they need not be collected in lists.
    updates = elearning.of(
        "profile", lambda table: elearning.profile_updates(table, formulas.d("field_name"))
    )
    return elearning.VIEWS | {"profile_realtime_updates_1min": updates}


def as_json(view: str, rows: DataFrame) -> DataFrame:
    return rows.select(F.to_json(F.struct(F.lit(view).alias("view"), "*")).alias("value"))
