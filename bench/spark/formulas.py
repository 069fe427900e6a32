"""The notation of the specification in Spark: `n`, `d`, `r2`, `pct`, windows."""

from decimal import Decimal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

T1, T5, T10 = ("1 minute",), ("5 minutes",), ("10 minutes",)
S5_1 = ("5 minutes", "1 minute")


def windowed(events: DataFrame, window: tuple, keys: list[str], **columns: Column) -> DataFrame:
    """Groups by window and keys: `window_start`, `window_end`, the keys, then the columns."""
    grouped = events.groupBy(F.window("time", *window).alias("window"), *keys)
    rows = grouped.agg(*(column.alias(name) for name, column in columns.items()))
    bounds = [F.col("window.start").alias("window_start"), F.col("window.end").alias("window_end")]
    return rows.select(*bounds, *keys, *columns)


def n(condition: Column | None = None) -> Column:
    """Rows of the group, or those where the condition is true; never NULL."""
    return F.count(F.lit(1) if condition is None else F.when(condition, 1))


def d(column, condition: Column | None = None) -> Column:
    """Exact number of distinct values that are not NULL."""
    column = F.col(column) if isinstance(column, str) else column
    return F.countDistinct(column if condition is None else F.when(condition, column))


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
