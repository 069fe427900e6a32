"""Kafka values in files become events in Spark: positions, fields, event times.

Below the input folder, `<port>/*.jsonl` are the partitions of a port, in the order of names; a line
is the value of a record and its offset is the byte at which it begins, as for the file source of
Highwater. Every field is read by Spark's own `from_json`, so what Spark makes of a value of the
wrong type is what we get.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

# Where an event lies; ties of event times are decided by it.
POSITION = ["source", "partition", "offset", "element"]


def text_time(name: str) -> Column:
    """An event time that is a text, or a number of seconds, milliseconds, micro- or nanoseconds.

    Texts without a zone are in the zone of the session. A time of day alone is none: Spark would
    take today's date.
    """
    text = F.trim(name)
    digits = text.cast("bigint")
    micros = (
        F.when(text.rlike(r"^\d{10}$"), digits * 1_000_000)
        .when(text.rlike(r"^\d{13}$"), digits * 1_000)
        .when(text.rlike(r"^\d{16}$"), digits)
        .when(text.rlike(r"^\d{19}$"), F.expr(f"bigint(trim({name})) div 1000"))
    )
    plain = F.when(~text.rlike(r"^T?\d{1,2}:"), text.cast("timestamp"))
    return F.coalesce(F.timestamp_micros(micros), plain)


def millis_time(name: str) -> Column:
    """An event time that is an integer number of milliseconds, exactly."""
    return F.timestamp_millis(F.col(name).cast("bigint"))


@dataclass(frozen=True)
class Port:
    """What a port of a system carries."""

    # Names and types of the fields that the views read; names are case-sensitive.
    fields: str
    # The field with the event time.
    time: str = "timestamp"
    # How it is read.
    form: Callable[[str], Column] = text_time


def read(spark: SparkSession, folder: Path, scratch: Path, name: str, port: Port, source: int):
    """The events of a port that have an event time: its fields, then `time` and the position."""
    staged = scratch / name
    _stage(folder / name, staged)
    lines = spark.read.text(str(staged), lineSep="\n")
    parts = F.split("value", "\t", 3)
    records = lines.select(
        F.lit(source).alias("source"),
        parts[0].cast("int").alias("partition"),
        parts[1].cast("bigint").alias("offset"),
        parts[2].alias("value"),
    )
    return _decode(records, port).filter("time is not null")


def _stage(folder: Path, staged: Path) -> None:
    """Copies lines with their partition and offset before them."""
    staged.mkdir(parents=True)
    for partition, path in enumerate(sorted(folder.glob("*.jsonl"))):
        offset = 0
        with path.open("rb") as lines, (staged / f"{partition}.txt").open("wb") as copy:
            for line in lines:
                value = line.removesuffix(b"\n").removesuffix(b"\r")
                if value:
                    copy.write(b"%d\t%d\t%b\n" % (partition, offset, value))
                offset += len(line)


def _decode(records: DataFrame, port: Port) -> DataFrame:
    # An array is as many events; with an array's schema alone, an object that holds a value of the
    # wrong type would end the query.
    is_array = F.ltrim("value").startswith("[")
    array = F.from_json("value", f"array<struct<{typed(port.fields)}>>")
    one = F.array(F.from_json("value", f"struct<{typed(port.fields)}>"))
    elements = F.posexplode(F.when(is_array, array).otherwise(one)).alias("element", "event")
    events = records.select("source", "partition", "offset", elements)
    events = events.filter("event is not null").select("event.*", *POSITION)
    return events.withColumn("time", port.form(port.time))


def typed(fields: str) -> str:
    """`a text, b i32` in Spark's words."""
    types = {
        "text": "string",
        "i32": "int",
        "i64": "bigint",
        "f64": "double",
        "bool": "boolean",
        "text[]": "array<string>",
        "i32[]": "array<int>",
        "levels": "array<struct<price:string,size:string>>",
    }
    named = (field.split() for field in fields.split(","))
    return ",".join(f"`{name}`:{types[kind]}" for name, kind in named)

