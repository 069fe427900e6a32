"""Rows of a view as lines of CSV, in the form of Highwater's file sink.

NULL is empty, the empty text `""`; times are ISO 8601 with six digits and `Z`; floats are the
shortest decimal without an exponent; decimals have two digits; arrays are JSON.
"""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import TimestampType


def write(view: DataFrame, path: Path) -> int:
    """Writes a header and the sorted lines; how many there are."""
    times = [field.name for field in view.schema if isinstance(field.dataType, TimestampType)]
    # As microseconds, for Python would shift times by the zone of the machine.
    plain = view.select(
        *(F.unix_micros(name).alias(name) if name in times else F.col(f"`{name}`")
          for name in view.columns)
    )
    is_time = [name in times for name in view.columns]
    lines = [
        ",".join(_time(v) if t and v is not None else _field(v) for v, t in zip(row, is_time))
        for row in plain.collect()
    ]
    # Bytes of UTF-8 are in the order of code points.
    lines.sort()
    path.write_text("\n".join([",".join(view.columns), *lines]) + "\n", encoding="utf-8")
    return len(lines)


def _time(micros: int) -> str:
    seconds, fraction = divmod(micros, 1_000_000)
    days, rest = divmod(seconds, 86_400)
    year, month, day = _date(days)
    hours, rest = divmod(rest, 3_600)
    minutes, seconds = divmod(rest, 60)
    return f"{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{fraction:06}Z"


def _date(days: int) -> tuple[int, int, int]:
    return date.fromordinal(date(1970, 1, 1).toordinal() + days).timetuple()[:3]


def _field(value) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _float(value)
        case Decimal():
            return f"{value:.2f}"
        case list():
            return _text(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
        case str():
            return _text(value)
    raise TypeError(f"no form for {value!r}")


def _float(value: float) -> str:
    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0")


def _text(text: str) -> str:
    if text and not any(mark in text for mark in ',"\n\r'):
        return text
    return '"' + text.replace('"', '""') + '"'
