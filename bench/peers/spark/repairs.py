"""What of the systems is said otherwise than in `bench/spark`, as Spark refuses it on streams.

`ONE_STREAM` are systems that have a table of all topics, `all`; `PREPARED` has what is done with the
tables of a system before any view, `VIEWS` the views that replace others.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

import chat
import elearning
import formulas
import market


def chat_summary(events: dict[str, DataFrame]) -> DataFrame:
    """CH-01 without comparisons with earlier windows. The joins are on `window`, which bears the
    watermark."""
    messages = events["chat"].withColumn("score", chat.score())
    of_stream = (chat.S60_10, ["stream_id"])
    counts = formulas.grouped(messages, *of_stream, **chat.messages())
    emotes = chat.emotes_of(events["chat"])
    emotes = formulas.grouped(emotes, chat.S60_10, ["stream_id", "emote"], count=formulas.n())
    top = emotes.groupBy("window", "stream_id").agg(chat.most_frequent().alias("top"))
    audience = formulas.grouped(events["viewers"], *of_stream, viewers=F.avg("viewer_count"))
    same = ["window", "stream_id"]
    rows = counts.join(top, same, "left").join(audience, same, "left")
    return formulas.bounded(rows).withColumns({
        "avg_viewers": F.coalesce("viewers", F.lit(0.0)),
        "top_emotes": F.coalesce("top", F.array().cast("array<string>")),
    }).drop("viewers", "top")


# The jobs' dialect has one field in an event, so they need not be collected in lists.
profile_updates = elearning.of(
    "profile", lambda table: elearning.profile_updates(table, formulas.d("field_name"))
)

# The replaced job reads all topics as one stream; here, too, most views are over all of them. A
# union of streams would wait for ever for those topics whose events a filter lets none pass.
ONE_STREAM = {"campus"}

PREPARED = {"market": market.normalise}

VIEWS = {
    "chat": {"chat_summary_minute": chat_summary},
    "elearning": {"profile_realtime_updates_1min": profile_updates},
    "market": {"binance": market.prices_of_symbols},
}
