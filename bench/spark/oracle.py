#!/usr/bin/env python3
"""Computes the views of a system with Spark, as batch queries over JSON lines.

    oracle.py --system chat --input DIR --output DIR [--views NAME,NAME]

Each view becomes OUTPUT/<view>.csv: a header, then its lines, sorted. What the input must look
like is said in `events.py`, what the output looks like in `rows.py`.
"""

import argparse
import importlib
import sys
import tempfile
import time
from pathlib import Path

from pyspark.sql import SparkSession

import events
import rows

SYSTEMS = ["campus", "chat", "elearning", "market", "shop"]


def main() -> int:
    arguments = parse()
    system = importlib.import_module(arguments.system)
    views = arguments.views.split(",") if arguments.views else list(system.VIEWS)
    unknown = [view for view in views if view not in system.VIEWS]
    if unknown:
        print(f"{arguments.system} has no view {', '.join(unknown)}", file=sys.stderr)
        return 64
    spark = session(system.ZONE)
    with tempfile.TemporaryDirectory(prefix="highwater-spark-") as scratch:
        tables = {
            name: events.read(spark, arguments.input, Path(scratch), name, port, index)
            for index, (name, port) in enumerate(system.PORTS.items())
        }
        tables = {name: table.cache() for name, table in system.normalise(tables).items()}
        arguments.output.mkdir(parents=True, exist_ok=True)
        for view in views:
            begun = time.monotonic()
            count = rows.write(system.VIEWS[view](tables), arguments.output / f"{view}.csv")
            print(f"{view}: {count} rows in {time.monotonic() - begun:.1f} s", file=sys.stderr)
    spark.stop()
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--system", choices=SYSTEMS, required=True)
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--views", help="names between commas; all without it")
    return parser.parse_args()


def session(zone: str) -> SparkSession:
    """A session of this process alone. The zone is that of texts without one; windows begin at
    the epoch in UTC all the same, and rows are written in UTC."""
    builder = SparkSession.builder.master("local[2]").appName("highwater-oracle")
    # The inputs are small, so what costs time is to start: compilers and tasks.
    settings = {
        "spark.sql.codegen.wholeStage": "false",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.sql.session.timeZone": zone,
        "spark.sql.ansi.enabled": "false",
        "spark.sql.caseSensitive": "true",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.adaptive.enabled": "false",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "2g",
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


if __name__ == "__main__":
    sys.exit(main())
