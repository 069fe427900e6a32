"""The views of `market` as batch queries (section 4.5 of the specification)."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from events import Port, millis_time
from formulas import T1, n, number, stamp, text_number, windowed
from market_quality import data_quality

ZONE = "UTC"

PORTS = {
    "binance": Port(
        "timestamp i64, snapshot_time i64, symbol text, open f64, high f64, low f64, close f64, "
        "volume f64, quote_asset_volume f64, taker_buy_base f64, taker_buy_quote f64, trades i64, "
        "close_time i64",
        "snapshot_time",
        millis_time,
    ),
    "polymarket_trade": Port(
        "event_type text, market text, asset_id text, timestamp text, bids levels, asks levels, "
        "price text, size text",
        "timestamp",
        millis_time,
    ),
}

SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"]

MINUTE = ["window_start", "window_end"]


def normalise(events: dict[str, DataFrame]) -> dict[str, DataFrame]:
    """Numbers from texts, and what books say about prices."""
    floats = ["open", "high", "low", "close", "volume", "quote_asset_volume", "taker_buy_base"]
    floats.append("taker_buy_quote")
    binance = events["binance"].withColumns({name: number(F.col(name)) for name in floats})
    quote = F.col("quote_asset_volume")
    sentiment = F.when(quote > 0, F.col("taker_buy_quote") / quote)
    messages = events["polymarket_trade"]
    messages = messages.withColumns({
        "market_id": F.col("market"),
        "price": text_number(F.col("price")),
        "size": text_number(F.col("size")),
        "best_bid": F.array_max(prices("bids")),
        "best_ask": F.array_min(prices("asks")),
    })
    messages = messages.withColumns({
        "bid_depth": depth("bids", "best_bid"),
        "ask_depth": depth("asks", "best_ask"),
    })
    bid, ask = F.col("bid_depth"), F.col("ask_depth")
    messages = messages.withColumns({
        "mid": (F.col("best_bid") + F.col("best_ask")) / 2,
        "spread": F.abs(F.col("best_ask") - F.col("best_bid")),
        "imbalance": F.when(bid + ask > 0, (bid - ask) / (bid + ask)),
    })
    return {
        "binance": binance.withColumn("sentiment", sentiment),
        "polymarket_trade": messages,
    }


def prices(side: str) -> Column:
    return F.transform(side, lambda level: text_number(level["price"]))


def depth(side: str, best: str) -> Column:
    """Size of the first level that has the best price."""
    levels = F.filter(side, lambda level: text_number(level["price"]) == F.col(best))
    return text_number(F.get(levels, F.lit(0))["size"])


def last(name: str) -> Column:
    return F.max_by(name, stamp())


def binance(events: dict[str, DataFrame]) -> DataFrame:
    """MK-01."""
    table = prices_of_symbols(events)
    # The candle that opens with the window, also what is said of it after the window's end. It is
    # a join, so records without a symbol have no volume.
    opened = F.timestamp_micros(candle_micros())
    volumes = events["binance"].groupBy(opened.alias("opened"), F.col("symbol").alias("of"))
    volumes = volumes.agg(F.max("quote_asset_volume").alias("usdt_volume_traded"))
    same = (F.col("window_start") == F.col("opened")) & (F.col("symbol") == F.col("of"))
    return table.join(volumes, same, "left").drop("opened", "of")


def prices_of_symbols(events: dict[str, DataFrame]) -> DataFrame:
    """MK-01 without the volume of the candle."""
    return windowed(
        events["binance"],
        T1,
        ["symbol"],
        current_price=last("close"),
        current_sentiment=last("sentiment"),
        avg_price=F.avg("close"),
        min_price=F.min("close"),
        max_price=F.max("close"),
        volatility=F.stddev_samp("close"),
        total_usdt_volume=F.sum("quote_asset_volume"),
        avg_sentiment=F.avg("sentiment"),
        ticks=n(),
    )


def candle_micros() -> Column:
    """When the candle opens; the number may be of milli-, micro- or nanoseconds."""
    time = F.col("timestamp")
    return (
        F.when(F.abs(time) < 10**14, time * 1_000)
        .when(F.abs(time) < 10**17, time)
        .otherwise(F.expr("timestamp div 1000"))
    )


def polymarket(events: dict[str, DataFrame]) -> DataFrame:
    """MK-02."""
    is_trade = F.col("event_type") == "last_trade_price"
    return windowed(
        events["polymarket_trade"],
        T1,
        ["market_id"],
        avg_prob=F.avg("mid"),
        avg_imbalance=F.avg("imbalance"),
        avg_spread=F.avg("spread"),
        total_shares_traded=F.sum(F.when(is_trade, F.col("size"))),
        num_trades=n(is_trade & F.col("price").isNotNull()),
    )


def polymarket_books(events: dict[str, DataFrame]) -> DataFrame:
    """MK-03."""
    return windowed(
        events["polymarket_trade"].filter(F.col("event_type") == "book"),
        T1,
        ["market_id"],
        current_prob=last("mid"),
        current_spread=last("spread"),
        current_imbalance=last("imbalance"),
        avg_prob=F.avg("mid"),
        min_prob=F.min("mid"),
        max_prob=F.max("mid"),
        avg_imbalance=F.avg("imbalance"),
        avg_spread=F.avg("spread"),
        num_updates=n(),
    )


def polymarket_trades(events: dict[str, DataFrame]) -> DataFrame:
    """MK-04."""
    return windowed(
        events["polymarket_trade"].filter(F.col("event_type") == "last_trade_price"),
        T1,
        ["market_id"],
        total_shares_traded=F.sum("size"),
        num_trades=n(),
    )


def asset_correlation(events: dict[str, DataFrame]) -> DataFrame:
    """MK-05, for pairs of known symbols: the returns of the last 60 windows that have both."""
    known = F.array(*map(F.lit, SYMBOLS))
    pairs = F.transform(
        F.filter(known, lambda other: other != F.col("symbol")),
        lambda other: F.struct(
            F.least("symbol", other).alias("symbol_a"),
            F.greatest("symbol", other).alias("symbol_b"),
        ),
    )
    sides = events["binance"].filter(F.col("symbol").isin(SYMBOLS))
    sides = sides.withColumn("pair", F.explode(pairs)).select("time", "symbol", "close", "pair.*")

    def price(symbol: str) -> Column:
        return F.avg(F.when(F.col("symbol") == F.col(symbol), F.col("close")))

    keys = ["symbol_a", "symbol_b"]
    prices = windowed(sides, T1, keys, a=price("symbol_a"), b=price("symbol_b"))
    in_order = Window.partitionBy(*keys).orderBy("window_start")
    follows = F.lag("window_end").over(in_order) == F.col("window_start")
    both = [number(F.log(F.col(side) / F.lag(side).over(in_order))) for side in "ab"]
    prices = prices.withColumns({
        "r_a": F.when(follows, both[0]),
        "r_b": F.when(follows, both[1]),
    })
    has_both = F.col("r_a").isNotNull() & F.col("r_b").isNotNull()
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    returns = F.collect_list(F.when(has_both, F.struct("r_a", "r_b"))).over(so_far)
    last = F.slice(returns, F.greatest(F.size(returns) - 59, F.lit(1)), 60)
    key = [*MINUTE, *keys]
    rows = prices.withColumn("returns", last).select(*key, F.explode_outer("returns").alias("r"))
    rows = rows.groupBy(*key).agg(
        number(F.corr("r.r_a", "r.r_b")).alias("correlation"),
        F.count("r").alias("pairs"),
    )
    enough = F.when(F.col("pairs") >= 10, F.col("correlation"))
    return rows.select(*key, enough.alias("correlation"), "pairs")


def quality(events: dict[str, DataFrame]) -> DataFrame:
    """MK-06."""
    tables = events["binance"], events["polymarket_trade"]
    return data_quality(*tables, candle_micros(), SYMBOLS)


VIEWS = {
    "binance": binance,
    "polymarket": polymarket,
    "polymarket_books": polymarket_books,
    "polymarket_trades": polymarket_trades,
    "asset_correlation": asset_correlation,
    "data_quality": quality,
}
