"""The views of `campus` as batch queries (sections 3.4 and 3.5 of the specification)."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from events import Port
from formulas import S5_1, T1, T10, d, n, number, pct, r2, secs, stamp, windowed

# Of texts without a zone; the windows begin at the epoch in UTC.
ZONE = "Asia/Ho_Chi_Minh"

COMMON = (
    "timestamp text, event_category text, event_type text, action text, user_id text, role text"
)

PORTS = {
    "auth": Port(COMMON),
    "assessment": Port(
        f"{COMMON}, course_id text, assignment_id text, quiz_id text, student_id text, score f64, "
        "correct_answers i32"
    ),
    "video": Port(f"{COMMON}, course_id text, video_id text, watch_duration_seconds i32"),
    "course": Port(f"{COMMON}, course_id text"),
    "profile": Port(f"{COMMON}, field_name text, updated_fields text[]"),
    "notification": Port(f"{COMMON}, course_id text, notification_type text"),
}

# The jobs' names of elearning, mapped back to the producer's (section 3.1).
EVENT_TYPES = {
    "auth": {"REGISTER": "SIGNUP"},
    "assessment": {"COMPLETE_QUIZ": "QUIZ_COMPLETED"},
    "video": {"WATCH_VIDEO": "VIDEO_WATCHED"},
    "course": {
        "ENROLL_COURSE": "COURSE_ENROLLED",
        "DOWNLOAD_RESOURCE": "DOWNLOAD_MATERIAL",
        "ACCESS_MATERIAL": "ITEM_CLICK",
    },
    "profile": {"CHANGE_AVATAR": "PROFILE_PICTURE_UPDATED"},
    "notification": {
        "SEND_NOTIFICATION": "NOTIFICATION_SENT",
        "VIEW_NOTIFICATION": "NOTIFICATION_OPENED",
        "CLICK_NOTIFICATION": "NOTIFICATION_CLICKED",
    },
}


def normalise(events: dict[str, DataFrame]) -> dict[str, DataFrame]:
    """Brings the jobs' dialect back to the producer's; `all` are the events of all topics."""
    tables = {port: _normalised(port, table) for port, table in events.items()}
    together = None
    for port, table in tables.items():
        table = table.withColumn("port", F.lit(port))
        together = table if together is None else together.unionByName(table, True)
    return tables | {"all": together}


def _normalised(port: str, table: DataFrame) -> DataFrame:
    back = F.col("action")
    for theirs, ours in EVENT_TYPES[port].items():
        back = F.when(F.col("action") == theirs, ours).otherwise(back)
    columns = {"event_type": F.coalesce("event_type", back)}
    if port == "profile":
        named = F.when(F.col("field_name").isNotNull(), F.array("field_name"))
        is_ours = F.col("event_type").isNotNull()
        columns["updated_fields"] = F.when(is_ours, F.col("updated_fields")).otherwise(named)
    if port == "assessment":
        columns["score"] = number(F.col("score"))
    return table.withColumns(columns)


def typed(*kinds: str) -> Column:
    return F.col("event_type").isin(*kinds)


def i32(column: Column) -> Column:
    return column.cast("int")


def keyed(rows: DataFrame, *first: str) -> DataFrame:
    """A table whose columns begin with its primary key, as the tables of Cassandra do."""
    return rows.select(*first, *(name for name in rows.columns if name not in first))


def watch_seconds() -> Column:
    """The sum, 0 if there is none."""
    return F.coalesce(F.sum("watch_duration_seconds"), F.lit(0))


def active_users(events: dict[str, DataFrame]) -> DataFrame:
    """CA-01."""
    logins = events["all"].filter(typed("LOGIN"))
    return windowed(logins, ("1 minute", "30 seconds"), [], active_users=i32(d("user_id")))


def course_popularity(events: dict[str, DataFrame]) -> DataFrame:
    """CA-02."""
    rows = windowed(
        events["all"].filter("course_id is not null"),
        T1,
        ["course_id"],
        interactions=i32(n()),
        views=i32(n(typed("VIDEO_WATCHED", "COURSE_VIEW"))),
    )
    return keyed(rows, "course_id")


def video_engagement(events: dict[str, DataFrame]) -> DataFrame:
    """CA-03."""
    watched = (F.col("event_category") == "VIDEO") & typed("VIDEO_WATCHED")
    rows = windowed(
        events["all"].filter(watched),
        T1,
        ["video_id"],
        views=i32(n()),
        unique_viewers=i32(d("user_id")),
        total_watch_seconds=i32(watch_seconds()),
    )
    return keyed(rows, "video_id")


def user_activity(events: dict[str, DataFrame]) -> DataFrame:
    """CA-04."""
    rows = windowed(
        events["all"],
        S5_1,
        ["user_id"],
        event_count=n(),
        logins=n(typed("LOGIN")),
        logouts=n(typed("LOGOUT")),
        videos_watched=n(typed("VIDEO_WATCHED")),
        assignments_submitted=n(typed("SUBMIT_ASSIGNMENT")),
        course_interactions=n(F.col("port") == "course"),
        distinct_event_types=i32(d("event_type")),
        first_event=F.min("time"),
        last_event=F.max("time"),
    )
    return keyed(rows, "user_id")


def course_engagement(events: dict[str, DataFrame]) -> DataFrame:
    """CA-05."""
    by_id = F.when(F.col("user_id").startswith("SV"), True).otherwise(False)
    is_student = F.when(F.col("role").isNotNull(), F.col("role") == "student").otherwise(by_id)
    rows = windowed(
        events["all"].filter("course_id is not null"),
        S5_1,
        ["course_id"],
        active_students=d("user_id", is_student),
        interactions=n(),
        views=n(typed("COURSE_VIEW")),
        item_clicks=n(typed("ITEM_CLICK")),
        downloads=n(typed("DOWNLOAD_MATERIAL")),
        enrollments=n(typed("COURSE_ENROLLED")),
        drops=n(typed("COURSE_DROPPED")),
        videos_watched=n(typed("VIDEO_WATCHED")),
        watch_seconds=watch_seconds(),
    )
    return keyed(rows, "course_id")


def assessment_scores(events: dict[str, DataFrame]) -> DataFrame:
    """CA-06."""
    is_quiz = F.col("quiz_id").isNotNull()
    items = events["assessment"].filter("assignment_id is not null or quiz_id is not null")
    items = items.withColumns({
        "course_id": F.coalesce("course_id", F.lit("_none")),
        "item_id": F.coalesce("quiz_id", "assignment_id"),
        "item_type": F.when(is_quiz, "quiz").otherwise("assignment"),
    })
    score = F.when(typed("GRADE_ASSIGNMENT"), F.col("score"))
    correct = F.when(typed("QUIZ_COMPLETED"), F.col("correct_answers"))
    rows = windowed(
        items,
        T10,
        ["course_id", "item_id", "item_type"],
        submissions=n(typed("SUBMIT_ASSIGNMENT")),
        graded=n(typed("GRADE_ASSIGNMENT")),
        avg_score=r2(F.avg(score)),
        min_score=F.min(score),
        max_score=F.max(score),
        quizzes_completed=n(typed("QUIZ_COMPLETED")),
        avg_correct_answers=r2(F.avg(correct)),
        unique_students=d(F.coalesce("student_id", "user_id")),
    )
    return keyed(rows, "course_id", "window_start", "item_id", "item_type")


def video_views(events: dict[str, DataFrame]) -> DataFrame:
    """CA-07."""
    rows = windowed(
        events["all"].filter(typed("VIDEO_WATCHED")),
        S5_1,
        ["video_id"],
        course_id=F.max_by("course_id", stamp()),
        views=n(),
        unique_viewers=d("user_id"),
        total_watch_seconds=watch_seconds(),
        avg_watch_seconds=r2(F.avg("watch_duration_seconds")),
    )
    return keyed(rows, "video_id")


def user_sessions(events: dict[str, DataFrame]) -> DataFrame:
    """CA-08: sessions with a gap of 30 minutes, all of them closed."""
    session = F.session_window("time", "30 minutes").alias("session")
    sessions = events["all"].groupBy(session, "user_id").agg(
        F.max("time").alias("last_event"),
        n().alias("event_count"),
        (secs(F.max("time")) - secs(F.min("time"))).alias("duration_seconds"),
        F.min_by("event_type", stamp()).alias("first_event_type"),
        F.max_by("event_type", stamp()).alias("last_event_type"),
    )
    return sessions.select(
        "user_id",
        F.col("session.start").alias("session_start"),
        F.col("session.end").alias("session_end"),
        "last_event",
        "event_count",
        "duration_seconds",
        "first_event_type",
        "last_event_type",
        F.lit(False).alias("is_open"),
    )


def notifications(events: dict[str, DataFrame]) -> DataFrame:
    """CA-09."""
    sent, opened = n(typed("NOTIFICATION_SENT")), n(typed("NOTIFICATION_OPENED"))
    clicked = n(typed("NOTIFICATION_CLICKED"))
    rows = windowed(
        events["notification"],
        T10,
        ["notification_type"],
        sent=sent,
        opened=opened,
        clicked=clicked,
        unique_users=d("user_id"),
        open_rate_pct=pct(opened, sent),
        click_rate_pct=pct(clicked, sent),
    )
    return keyed(rows, "notification_type")


def profile_changes(events: dict[str, DataFrame]) -> DataFrame:
    """CA-10."""
    fields = F.array_compact(F.flatten(F.collect_list("updated_fields")))
    rows = windowed(
        events["profile"],
        T10,
        ["user_id"],
        created=n(typed("CREATE_PROFILE")),
        updates=n(typed("UPDATE_PROFILE")),
        picture_updates=n(typed("PROFILE_PICTURE_UPDATED")),
        password_changes=n(typed("PASSWORD_CHANGED")),
        fields_changed=F.array_sort(F.array_distinct(fields)),
        last_change=F.max("time"),
    )
    return keyed(rows, "user_id")


VIEWS = {
    "active_users": active_users,
    "course_popularity": course_popularity,
    "video_engagement": video_engagement,
    "realtime_user_activity": user_activity,
    "realtime_course_engagement": course_engagement,
    "realtime_assessment_scores": assessment_scores,
    "realtime_video_views": video_views,
    "realtime_user_sessions": user_sessions,
    "realtime_notifications": notifications,
    "realtime_profile_changes": profile_changes,
}
