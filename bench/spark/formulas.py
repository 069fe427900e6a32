"""The notation of the specification in Spark: `n`, `d`, `r2`, `pct`, windows."""

from decimal import Decimal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

T1, T5, T10 = ("1 minute",), ("5 minutes",), ("10 minutes",)
S5_1 = ("5 minutes", "1 minute")


# How different values are counted. A streaming query, which may not do so exactly, sets another.
count_distinct = F.countDistinct


def windowed(events: DataFrame, window: tuple, keys: list[str], **columns: Column) -> DataFrame:
    """Groups by window and keys: `window_start`, `window_end`, the keys, then the columns."""
    return bounded(grouped(events, window, keys, **columns))


def grouped(events: DataFrame, window: tuple, keys: list[str], **columns: Column) -> DataFrame:
    """As `windowed`, with `window` in place of its bounds: only that has a stream's watermark."""
    groups = events.groupBy(F.window("time", *window).alias("window"), *keys)
    return groups.agg(*(column.alias(name) for name, column in columns.items()))


def bounded(rows: DataFrame) -> DataFrame:
    """Puts the bounds in the place of `window`."""
    bounds = [F.col("window.start").alias("window_start"), F.col("window.end").alias("window_end")]
    return rows.select(*bounds, *(name for name in rows.columns if name != "window"))


def n(condition: Column | None = None) -> Column:
    """Rows of the group, or those where the condition is true; never NULL."""
    return F.count(F.lit(1) if condition is None else F.when(condition, 1))


def d(column, condition: Column | None = None) -> Column:
    """Number of distinct values that are not NULL."""
    column = F.col(column) if isinstance(column, str) else column
    return count_distinct(column if condition is None else F.when(condition, column))


def r2(column: Column) -> Column:
    """Half up to two decimals, on the shortest decimal text of the number."""
    return F.round(column, 2)


def pct(a: Column, b: Column) -> Column:
    """Divided first, then times 100, then rounded; NULL for b = 0."""
    return r2((a / b) * 100)


def per(a: Column, divisor: str) -> Column:
    """An integer by a decimal, with two decimals."""
    return F.round(a / F.lit(Decimal(divisor)), 2)


def secs(column: Column) -> Column:
    """Whole seconds since the epoch."""
    return F.unix_seconds(column)


def number(column: Column) -> Column:
    """A float that is one: NaN and the infinities become NULL."""
    value = column.cast("double")
    return F.when(F.abs(value) < float("inf"), value)


def text_number(column: Column) -> Column:
    """A float that is written as a text."""
    return number(F.trim(column))


def stamp() -> Column:
    """What decides which of two events is the later one."""
    return F.struct("time", "source", "partition", "offset", "element")
