"""MK-06 of `market`: how many records break which rule (section 4.5 of the specification).

A NULL breaks nothing but `unknown_symbol`. A gap counts in the window in which it ends.
"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from formulas import T1, n, text_number, windowed

GAP_MAX = 5_000_000


def data_quality(
    binance: DataFrame, messages: DataFrame, candle_micros: Column, symbols: list[str]
) -> DataFrame:
    """Rows of both topics; a topic has all its rules in each window in which it has a record."""
    candles = checked("binance", sighted(binance), candle_rules(candle_micros, symbols))
    books = checked("polymarket_trade", messages, message_rules())
    checks = candles.unionByName(books)
    violations = n(F.col("broken"))
    return windowed(checks, T1, ["topic", "rule"], violations=violations, records=n())


def checked(topic: str, events: DataFrame, rules: dict[str, Column]) -> DataFrame:
    checks = F.array(*(
        F.struct(F.lit(rule).alias("rule"), F.coalesce(broken, F.lit(False)).alias("broken"))
        for rule, broken in rules.items()
    ))
    checks = events.select("time", F.explode(checks).alias("check"))
    return checks.select("time", F.lit(topic).alias("topic"), "check.*")


def sighted(binance: DataFrame) -> DataFrame:
    """Which record of its symbol and time each one is, and how long after the one before."""
    of_symbol = Window.partitionBy("symbol").orderBy("time")
    alike = Window.partitionBy("symbol", "time").orderBy("source", "partition", "offset", "element")
    micros = F.unix_micros("time")
    return binance.withColumns({
        "sighting": F.row_number().over(alike),
        "silence": micros - F.unix_micros(F.lag("time").over(of_symbol)),
    })


def candle_rules(opens: Column, symbols: list[str]) -> dict[str, Column]:
    low, high = F.col("low"), F.col("high")
    prices = ["open", "high", "low", "close"]
    others = [F.col("open"), F.col("close")]
    named = F.col("symbol").isNotNull()
    snapshot = F.col("snapshot_time")
    return {
        "price_not_positive": either(*(F.col(price) <= 0 for price in prices)),
        "ohlc_order": either(
            high < low,
            *(price < low for price in others),
            *(high < price for price in others),
        ),
        "taker_exceeds_volume": either(
            F.col("quote_asset_volume") < F.col("taker_buy_quote"),
            F.col("volume") < F.col("taker_buy_base"),
        ),
        "snapshot_outside_candle": either(
            snapshot * 1_000 < opens,
            F.col("close_time") + 5_000 < snapshot,
        ),
        "unknown_symbol": ~F.coalesce(F.col("symbol").isin(symbols), F.lit(False)),
        "duplicate": named & (F.col("sighting") > 1),
        "gap": named & (F.col("silence") > GAP_MAX),
    }


def message_rules() -> dict[str, Column]:
    def of_levels(field: str, broken) -> list[Column]:
        sides = ["bids", "asks"]
        test = lambda level: F.coalesce(broken(text_number(level[field])), F.lit(False))
        return [F.exists(side, test) for side in sides]

    improbable = lambda price: (price < 0) | (price > 1)
    empty = lambda size: size <= 0
    return {
        "probability_range": either(improbable(F.col("price")), *of_levels("price", improbable)),
        "crossed_book": F.col("best_ask") <= F.col("best_bid"),
        "size_not_positive": either(empty(F.col("size")), *of_levels("size", empty)),
    }


def either(*conditions: Column) -> Column:
    """Whether one of them is true; NULL is not."""
    result = F.lit(False)
    for condition in conditions:
        result = result | F.coalesce(condition, F.lit(False))
    return result
