"""The views of a system as streaming queries of one application, one for each view.

The formulas are those of `bench/spark`, with which Highwater's rows are checked, and the events are
in the dialect of the replaced jobs, so nothing is normalised but what a view itself needs. What
differs is in `repairs.py`, as Spark refuses to start it; and distinct counts are approximate, since
it refuses exact ones, too. The job says which views: those that are left can only be computed in
batch mode.
"""

import importlib
import sys
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from types import ModuleType

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming import StreamingQuery

import topics

sys.path.append(str(Path(__file__).parents[2] / "spark"))

import formulas
import repairs
from events import POSITION, Port, text_time, typed

SYSTEMS = ["campus", "chat", "elearning", "market", "shop"]

RSD = 0.02

# Spark's own form ends at milliseconds.
TIMES = {"timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"}


def zone(query: str) -> str:
    """That of times without one."""
    return importlib.import_module(query).ZONE if query in SYSTEMS else "UTC"


def start(spark: SparkSession, job: dict[str, str]) -> list[StreamingQuery]:
    formulas.count_distinct = lambda column: F.approx_count_distinct(column, RSD)
    system: ModuleType = importlib.import_module(job["query"])
    tables = {name: table(spark, job, system.PORTS, [name]) for name in system.PORTS}
    if job["query"] in repairs.ONE_STREAM:
        tables["all"] = table(spark, job, system.PORTS, list(system.PORTS))
    tables = repairs.PREPARED.get(job["query"], dict)(tables)
    views = system.VIEWS | repairs.VIEWS.get(job["query"], {})
    names = job["views"].split(",")
    return [topics.write(as_json(name, views[name](tables)), job, name) for name in names]


def table(
    spark: SparkSession, job: dict[str, str], ports: dict[str, Port], names: list[str]
) -> DataFrame:
    """The events of some ports as one stream, with their time as `time`, and where they lie."""
    topic_of = {name: job["input"] + job[f"topic.{name}"] for name in names}
    fields = dict.fromkeys(
        field.strip() for name in names for field in ports[name].fields.split(",")
    )
    value = F.from_json(F.col("value").cast("string"), f"struct<{typed(','.join(fields))}>")
    indexes = {name: index for index, name in enumerate(ports) if name in names}
    events = topics.read(spark, job, ",".join(topic_of.values())).select(
        value.alias("event"),
        by_topic(topic_of, names).alias("port"),
        by_topic(topic_of, indexes.values()).alias("source"),
        "partition",
        "offset",
        F.lit(0).alias("element"),
    )
    events = events.select("event.*", "port", *POSITION)
    # Texts are in one form, so they need not be looked at for numbers.
    of = ports[names[0]]
    time = F.to_timestamp(of.time) if of.form is text_time else of.form(of.time)
    return events.withColumn("time", time).withWatermark("time", f"{job['delay_ms']} milliseconds")


def by_topic(topic_of: dict[str, str], values: Iterable) -> Column:
    """What is said of the topic of a record."""
    literals = [F.lit(value) for value in values]
    if len(literals) == 1:
        return literals[0]
    pairs = zip(map(F.lit, topic_of.values()), literals)
    return F.create_map(*chain.from_iterable(pairs))[F.col("topic")]


def as_json(view: str, rows: DataFrame) -> DataFrame:
    row = F.to_json(F.struct(F.lit(view).alias("view"), "*"), TIMES)
    return rows.select(row.alias("value"))
