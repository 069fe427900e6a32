"""The views of `chat` as batch queries (chapter 5 of the specification).

The z-score is the exclusive one, `top_emotes` the most frequent ones: Highwater's defaults.
"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from events import Port
from formulas import d, n, windowed

ZONE = "UTC"

PORTS = {
    "chat": Port(
        "timestamp text, stream_id text, channel text, user_id text, message text, emotes text[]"
    ),
    "viewers": Port("timestamp text, stream_id text, channel text, viewer_count i32"),
}

S60_10 = ("60 seconds", "10 seconds")

POSITIVE = """love great awesome amazing excellent good best wonderful fantastic perfect happy
    thanks lol haha nice cool fun enjoy excited pog pogchamp kekw""".split()
NEGATIVE = """hate bad terrible awful worst sucks boring annoying stupid dumb trash cringe fail
    rip sad angry mad disappointed frustrated""".split()

WINDOW = ["window_start", "window_end"]


def normalise(events: dict[str, DataFrame]) -> dict[str, DataFrame]:
    """`stream_id`, else the producer's `channel`."""
    stream = F.coalesce("stream_id", "channel")
    return {port: table.withColumn("stream_id", stream) for port, table in events.items()}


def score():
    """(p - n) / (p + n) of the different words of a message that are in either list, else 0."""
    # White space is that of Unicode, as in Python's `split`.
    words = F.split(F.lower(F.coalesce("message", F.lit(""))), r"(?U)\s+")

    def known(lexicon: list[str]):
        return F.size(F.array_intersect(words, F.array(*map(F.lit, lexicon))))

    p, q = known(POSITIVE), known(NEGATIVE)
    return F.when(p + q == 0, 0.0).otherwise((p - q) / (p + q))


def messages() -> dict[str, Column]:
    """What is said of the messages of a window."""
    return {
        "chat_count": n(),
        "unique_chatters": d("user_id"),
        "avg_sentiment": F.avg("score"),
        "positive_count": n(F.col("score") > 0),
        "negative_count": n(F.col("score") < 0),
        "chat_rate": n() / F.lit(60.0),
    }


def most_frequent() -> Column:
    """The first ten of counted emotes, by count, then name."""
    ranked = F.array_sort(F.collect_list(F.struct(-F.col("count"), "emote")))
    return F.transform(F.slice(ranked, 1, 10), lambda ranked: ranked["emote"])


def emotes_of(chat: DataFrame) -> DataFrame:
    """A row for each emote of a message."""
    return chat.withColumn("emote", F.explode("emotes")).filter("emote is not null")


def top_emotes(chat: DataFrame) -> DataFrame:
    """The ten most frequent emotes of each window."""
    counts = windowed(emotes_of(chat), S60_10, ["stream_id", "emote"], count=n())
    return counts.groupBy("stream_id", *WINDOW).agg(most_frequent().alias("top_emotes"))


def summary(events: dict[str, DataFrame]) -> DataFrame:
    """CH-01."""
    chat = events["chat"].withColumn("score", score())
    counts = windowed(chat, S60_10, ["stream_id"], **messages())
    emotes = top_emotes(chat).withColumnsRenamed({name: f"e_{name}" for name in
                                                  ["stream_id", *WINDOW]})
    same = [F.col(name).eqNullSafe(F.col(f"e_{name}")) for name in ["stream_id", *WINDOW]]
    viewers = windowed(events["viewers"], S60_10, ["stream_id"], viewers=F.avg("viewer_count"))
    joined = counts.join(emotes, same, "left").join(viewers, ["stream_id", *WINDOW], "left")
    past = Window.partitionBy("stream_id").orderBy("window_start").rowsBetween(-10, -1)
    rate = F.col("chat_rate")
    floor = F.greatest(F.stddev_pop(rate).over(past), F.lit(1.0) / 60)
    z = (rate - F.avg(rate).over(past)) / floor
    enough = F.count(rate).over(past) >= 5
    return joined.withColumn("z_score", F.when(enough, z)).select(
        "stream_id",
        *WINDOW,
        "chat_count",
        "unique_chatters",
        "avg_sentiment",
        "positive_count",
        "negative_count",
        "chat_rate",
        F.coalesce("viewers", F.lit(0.0)).alias("avg_viewers"),
        F.coalesce("top_emotes", F.array().cast("array<string>")).alias("top_emotes"),
        "z_score",
        F.coalesce(F.col("z_score") > 3.0, F.lit(False)).alias("is_anomaly"),
    )


def moments(events: dict[str, DataFrame]) -> DataFrame:
    """CH-02."""
    text = {name: F.col(name).cast("string") for name in ["chat_rate", "z_score", "chat_count"]}
    return summary(events).filter("is_anomaly").select(
        "stream_id",
        F.col("window_start").alias("timestamp"),
        F.lit("chat_spike").alias("moment_type"),
        F.concat(
            F.lit("chat_rate: "), text["chat_rate"],
            F.lit(", z_score: "), text["z_score"],
            F.lit(", chat_count: "), text["chat_count"],
        ).alias("description"),
        F.col("chat_rate").alias("intensity"),
        F.to_json(F.struct("chat_count", "unique_chatters", "avg_viewers", "z_score"))
        .alias("metadata"),
    )


VIEWS = {"chat_summary_minute": summary, "moments": moments}
