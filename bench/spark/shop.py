"""The views of `shop` as batch queries (section 6.4 of the specification).

Lists are in the order of (event time, source, partition, offset, element), Highwater's default.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from events import Port
from formulas import S5_1, T1, T5, T10, d, n, number, r2, secs, stamp, windowed

ZONE = "UTC"

FIELDS = """event_id text, event_type text, user_id text, timestamp text, device text,
    location text, session_id text, login_method text, success bool, page text, referrer text,
    duration_seconds i32, item_id text, category text, position i32, order_id text, items text[],
    quantities i32[], total_amount f64, currency text, payment_method text, quantity i32,
    price f64, search_query text, results_count i32, clicked_position i32"""

# What SH-07 reads beside the fields of SH-01.
PORTS = {"events": Port(f"{FIELDS}, rating i32")}


def normalise(events: dict[str, DataFrame]) -> dict[str, DataFrame]:
    """`login` is the `user_login` of the README; floats are numbers."""
    kind = F.when(F.col("event_type") == "login", "user_login").otherwise(F.col("event_type"))
    columns = {name: number(F.col(name)) for name in ["total_amount", "price"]}
    return {"events": events["events"].withColumns(columns | {"event_type": kind})}


def in_order(name: str) -> Column:
    """The values of a column as a list, without NULLs, in the order of events."""
    pairs = F.array_sort(F.collect_list(F.struct(stamp().alias("at"), F.col(name).alias("value"))))
    return F.array_compact(F.transform(pairs, lambda pair: pair["value"]))


def raw_events(shop: DataFrame) -> DataFrame:
    """SH-01, without the processing time; records in files have no key."""
    names = [field.split()[0] for field in FIELDS.split(",")]
    key = F.lit(None).cast("string").alias("key")
    return shop.select(key, *names, F.col("time").alias("event_time"))


def event_counts(shop: DataFrame) -> DataFrame:
    """SH-02."""
    return windowed(shop, T1, ["event_type"], count=n(), unique_users=d("user_id"))


def user_activity(shop: DataFrame) -> DataFrame:
    """SH-03."""
    return windowed(
        shop,
        S5_1,
        ["user_id"],
        event_count=n(),
        event_types=in_order("event_type"),
        first_event=F.min("time"),
        last_event=F.max("time"),
    )


def purchase_metrics(shop: DataFrame) -> DataFrame:
    """SH-04."""
    return windowed(
        shop.filter(F.col("event_type") == "purchase"),
        T10,
        [],
        total_orders=n(),
        total_revenue=F.sum("total_amount"),
        avg_order_value=F.avg("total_amount"),
        max_order_value=F.max("total_amount"),
        min_order_value=F.min("total_amount"),
        unique_buyers=d("user_id"),
    )


def session_metrics(shop: DataFrame) -> DataFrame:
    """SH-05: five minutes per session id, and no end of the window."""
    return windowed(
        shop,
        T5,
        ["session_id"],
        events_in_session=n(),
        session_events=in_order("event_type"),
        session_start=F.min("time"),
        session_end=F.max("time"),
        session_duration_seconds=secs(F.max("time")) - secs(F.min("time")),
    ).drop("window_end")


def device_stats(shop: DataFrame) -> DataFrame:
    """SH-06, with flat window columns."""
    return windowed(
        shop,
        T10,
        ["device", "location"],
        event_count=n(),
        unique_users=d("user_id"),
        unique_sessions=d("session_id"),
    )


def review_metrics(shop: DataFrame) -> DataFrame:
    """SH-07."""
    return windowed(
        shop.filter(F.col("event_type") == "product_review"),
        T10,
        ["item_id"],
        review_count=n(),
        avg_rating=r2(F.avg("rating")),
        five_star=n(F.col("rating") == 5),
        one_star=n(F.col("rating") == 1),
        unique_reviewers=d("user_id"),
    )


def of(view):
    return lambda events: view(events["events"])


VIEWS = {
    "raw_events": of(raw_events),
    "event_counts": of(event_counts),
    "user_activity": of(user_activity),
    "purchase_metrics": of(purchase_metrics),
    "session_metrics": of(session_metrics),
    "device_stats": of(device_stats),
    "review_metrics": of(review_metrics),
}
