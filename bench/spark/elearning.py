"""The 25 views of `elearning` as batch queries (section 2.6 of the specification)."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from events import Port
from formulas import S5_1, T1, T5, bounded, d, grouped, n, number, pct, per, r2, secs, windowed

ZONE = "UTC"

COMMON = "timestamp text, action text, event_type text, user_id text"

PORTS = {
    "auth": Port(f"{COMMON}, success bool"),
    "assessment": Port(
        f"{COMMON}, course_id text, assignment_id text, quiz_id text, score f64, max_score f64, "
        "correct_answers i32, total_questions i32"
    ),
    "video": Port(f"{COMMON}, course_id text, video_id text, watch_duration_seconds i32"),
    "course": Port(
        f"{COMMON}, course_id text, material_id text, resource_id text, item_id text"
    ),
    "profile": Port(f"{COMMON}, field_name text, updated_fields text[]"),
    "notification": Port(f"{COMMON}, notification_id text, notification_type text"),
}

# The producer's names for which the jobs have others (section 2.2).
ACTIONS = {
    "auth": {"SIGNUP": "REGISTER"},
    "assessment": {"QUIZ_COMPLETED": "COMPLETE_QUIZ"},
    "video": {"VIDEO_WATCHED": "WATCH_VIDEO"},
    "course": {
        "COURSE_ENROLLED": "ENROLL_COURSE",
        "DOWNLOAD_MATERIAL": "DOWNLOAD_RESOURCE",
        "ITEM_CLICK": "ACCESS_MATERIAL",
        "ACCESS_COURSE_MATERIAL": "ACCESS_MATERIAL",
    },
    "profile": {"PROFILE_PICTURE_UPDATED": "CHANGE_AVATAR"},
    "notification": {
        "NOTIFICATION_SENT": "SEND_NOTIFICATION",
        "NOTIFICATION_OPENED": "VIEW_NOTIFICATION",
        "NOTIFICATION_CLICKED": "CLICK_NOTIFICATION",
    },
}


def normalise(events: dict[str, DataFrame]) -> dict[str, DataFrame]:
    """Brings the producer's dialect to the job's; a record with an action stays as it is."""
    return {port: _normalised(port, table) for port, table in events.items()}


def _normalised(port: str, table: DataFrame) -> DataFrame:
    action = F.col("event_type")
    for theirs, ours in ACTIONS[port].items():
        action = F.when(F.col("event_type") == theirs, ours).otherwise(action)

    def produced(event_type: str) -> Column:
        return F.col("action").isNull() & (F.col("event_type") == event_type)

    def filled(name: str, event_type: str, value: Column) -> Column:
        return F.when(produced(event_type), F.coalesce(name, value)).otherwise(F.col(name))

    columns = {}
    if port == "auth":
        columns["success"] = filled("success", "LOGIN", F.lit(True))
    if port == "course":
        columns["resource_id"] = filled("resource_id", "DOWNLOAD_MATERIAL", F.col("material_id"))
        columns["material_id"] = filled("material_id", "ITEM_CLICK", F.col("item_id"))
    if port == "profile":
        changed = F.when(produced("UPDATE_PROFILE"), F.col("updated_fields"))
        columns["fields"] = F.concat(F.array("field_name"), F.coalesce(changed, F.array()))
    if port == "assessment":
        columns["score"] = number(F.col("score"))
        columns["max_score"] = number(F.col("max_score"))
    return table.withColumns(columns | {"action": F.coalesce("action", action)})


def act(*actions: str) -> Column:
    """Whether the event is one of these actions; NULL is none."""
    return F.col("action").isin(*actions)


def watched() -> dict[str, Column]:
    total = F.sum("watch_duration_seconds")
    return {"total_watch_seconds": total, "total_watch_minutes": per(total, "60.0")}


def course_counts() -> dict[str, Column]:
    return {
        "enrollments": n(act("ENROLL_COURSE")),
        "material_accesses": n(act("ACCESS_MATERIAL")),
        "downloads": n(act("DOWNLOAD_RESOURCE")),
    }


def active_users(auth: DataFrame, window: tuple, **more: Column) -> DataFrame:
    """EL-01, EL-02."""
    return windowed(
        auth,
        window,
        [],
        active_users=d("user_id"),
        total_events=n(),
        login_count=n(act("LOGIN")),
        logout_count=n(act("LOGOUT")),
        **more,
    )


def login_rate(auth: DataFrame) -> DataFrame:
    """EL-03."""
    successful = n(F.col("success"))
    return windowed(
        auth.filter(act("LOGIN")),
        T1,
        [],
        total_logins=n(),
        successful_logins=successful,
        failed_logins=n(~F.col("success")),
        unique_users=d("user_id"),
        success_rate_pct=pct(successful, n()),
    )


def session_activity(auth: DataFrame) -> DataFrame:
    """EL-04."""
    return windowed(
        auth,
        S5_1,
        ["user_id"],
        event_count=n(),
        first_event=F.min("time"),
        last_event=F.max("time"),
        logins=n(act("LOGIN")),
        logouts=n(act("LOGOUT")),
        session_duration_seconds=secs(F.max("time")) - secs(F.min("time")),
    )


def failed_logins(auth: DataFrame) -> DataFrame:
    """EL-05."""
    return windowed(
        auth.filter(act("LOGIN") & (F.col("success") == F.lit(False))),
        T1,
        ["user_id"],
        failed_attempt_count=n(),
        first_failed_attempt=F.min("time"),
        last_failed_attempt=F.max("time"),
    )


def submissions(assessment: DataFrame) -> DataFrame:
    """EL-06."""
    return windowed(
        assessment.filter(act("SUBMIT_ASSIGNMENT")),
        T1,
        [],
        total_submissions=n(),
        unique_students=d("user_id"),
        unique_assignments=d("assignment_id"),
        avg_score=r2(F.avg("score")),
        min_score=F.min("score"),
        max_score=F.max("score"),
    )


def active_students(assessment: DataFrame) -> DataFrame:
    """EL-07."""
    return windowed(
        assessment,
        T5,
        ["user_id", "course_id"],
        event_count=n(),
        distinct_actions=d("action"),
        views=n(act("VIEW_ASSIGNMENT_FIRST_TIME")),
        submissions=n(act("SUBMIT_ASSIGNMENT")),
        quiz_starts=n(act("START_QUIZ")),
    )


def quiz_attempts(assessment: DataFrame) -> DataFrame:
    """EL-08."""
    return windowed(
        assessment.filter(act("START_QUIZ", "ANSWER_QUESTION", "COMPLETE_QUIZ")),
        T5,
        ["quiz_id", "user_id"],
        event_count=n(),
        starts=n(act("START_QUIZ")),
        answers=n(act("ANSWER_QUESTION")),
        completions=n(act("COMPLETE_QUIZ")),
        avg_correct_answers=r2(F.avg("correct_answers")),
        avg_total_questions=r2(F.avg("total_questions")),
    )


def grading_queue(assessment: DataFrame) -> DataFrame:
    """EL-09: windows with equal bounds and equal assignments; a NULL assignment joins nothing."""

    def of(action: str, count: str, students: str) -> DataFrame:
        counts = {count: n(), students: d("user_id")}
        return grouped(assessment.filter(act(action)), T5, ["assignment_id"], **counts)

    left = of("SUBMIT_ASSIGNMENT", "submissions", "students_submitted")
    right = of("GRADE_ASSIGNMENT", "graded", "students_graded")
    joined = bounded(left.join(right, ["window", "assignment_id"], "left"))
    joined = joined.fillna(0, ["graded", "students_graded"])
    return joined.withColumn("pending_grading", F.col("submissions") - F.col("graded"))


def submission_rate(assessment: DataFrame) -> DataFrame:
    """EL-10."""
    return windowed(
        assessment.filter(act("SUBMIT_ASSIGNMENT")),
        S5_1,
        ["course_id"],
        submissions=n(),
        unique_students=d("user_id"),
        unique_assignments=d("assignment_id"),
        avg_score=r2(F.avg("score")),
        avg_percentage=r2(F.avg(F.col("score") / F.col("max_score") * 100)),
        submissions_per_minute=per(n(), "5.0"),
    )


def viewers(video: DataFrame) -> DataFrame:
    """EL-11."""
    return windowed(
        video,
        T1,
        [],
        unique_viewers=d("user_id"),
        videos_watched=d("video_id"),
        total_events=n(),
        video_starts=n(act("START_VIDEO")),
        video_pauses=n(act("PAUSE_VIDEO")),
        video_completions=n(act("COMPLETE_VIDEO")),
        **watched(),
    )


def watch_time(video: DataFrame) -> DataFrame:
    """EL-12."""
    return windowed(
        video.filter("watch_duration_seconds is not null"),
        T5,
        ["video_id", "course_id"],
        unique_viewers=d("user_id"),
        **watched(),
        avg_watch_seconds=r2(F.avg("watch_duration_seconds")),
        max_watch_seconds=F.max("watch_duration_seconds"),
        view_count=n(),
    )


def video_engagement(video: DataFrame) -> DataFrame:
    """EL-13."""
    starts, completions = n(act("START_VIDEO")), n(act("COMPLETE_VIDEO"))
    pauses, total = n(act("PAUSE_VIDEO")), F.sum("watch_duration_seconds")
    return windowed(
        video,
        T5,
        ["video_id"],
        starts=starts,
        pauses=pauses,
        completions=completions,
        unique_users=d("user_id"),
        total_watch_seconds=total,
        completion_rate_pct=pct(completions, starts),
        pause_rate_pct=pct(pauses, starts),
        avg_watch_per_start=r2(total / starts),
    ).filter("starts > 0")


def popular_videos(video: DataFrame) -> DataFrame:
    """EL-14."""
    starts, completions = n(act("START_VIDEO")), n(act("COMPLETE_VIDEO"))
    return windowed(
        video,
        T5,
        ["video_id", "course_id"],
        unique_viewers=d("user_id"),
        total_interactions=n(),
        total_watch_seconds=F.sum("watch_duration_seconds"),
        starts=starts,
        completions=completions,
        completion_rate_pct=pct(completions, starts),
    )


def concurrent_viewers(video: DataFrame) -> DataFrame:
    """EL-15."""
    return windowed(
        video.filter(act("START_VIDEO", "WATCH_VIDEO")),
        S5_1,
        ["video_id"],
        concurrent_viewers=d("user_id"),
        event_count=n(),
        **watched(),
    )


def active_courses(course: DataFrame) -> DataFrame:
    """EL-16."""
    return windowed(
        course,
        T1,
        [],
        active_courses=d("course_id"),
        active_students=d("user_id"),
        total_interactions=n(),
        **course_counts(),
    )


def enrollment_rate(course: DataFrame) -> DataFrame:
    """EL-17."""
    return windowed(
        course.filter(act("ENROLL_COURSE")),
        T5,
        ["course_id"],
        enrollment_count=n(),
        unique_students=d("user_id"),
        enrollments_per_minute=per(n(), "5.0"),
    )


def material_access(course: DataFrame) -> DataFrame:
    """EL-18."""
    return windowed(
        course.filter(act("ACCESS_MATERIAL")),
        T5,
        ["course_id", "material_id"],
        unique_students=d("user_id"),
        access_count=n(),
        accesses_per_minute=per(n(), "5.0"),
    )


def download_activity(course: DataFrame) -> DataFrame:
    """EL-19."""
    return windowed(
        course.filter(act("DOWNLOAD_RESOURCE")),
        T5,
        ["course_id", "resource_id"],
        unique_downloaders=d("user_id"),
        download_count=n(),
        downloads_per_minute=per(n(), "5.0"),
    )


def course_engagement(course: DataFrame) -> DataFrame:
    """EL-20."""
    return windowed(
        course,
        S5_1,
        ["course_id"],
        active_students=d("user_id"),
        total_interactions=n(),
        distinct_actions=d("action"),
        **course_counts(),
        unique_materials_accessed=d("material_id", act("ACCESS_MATERIAL")),
        unique_resources_downloaded=d("resource_id", act("DOWNLOAD_RESOURCE")),
        avg_interactions_per_student=r2(n() / d("user_id")),
    )


def changed_fields() -> Column:
    """How many fields all changes of a window name."""
    return F.size(F.array_distinct(F.array_compact(F.flatten(F.collect_list("fields")))))


def profile_updates(profile: DataFrame, changed: Column) -> DataFrame:
    """EL-21."""
    return windowed(
        profile,
        T1,
        [],
        users_updated_profile=d("user_id"),
        total_updates=n(),
        general_updates=n(act("UPDATE_PROFILE")),
        avatar_changes=n(act("CHANGE_AVATAR")),
        unique_fields_updated=changed,
    )


def notifications_sent(notification: DataFrame) -> DataFrame:
    """EL-22."""
    return windowed(
        notification.filter(act("SEND_NOTIFICATION")),
        T1,
        [],
        total_sent=n(),
        unique_recipients=d("user_id"),
        unique_types=d("notification_type"),
    )


SENT, VIEWED, CLICKED = "SEND_NOTIFICATION", "VIEW_NOTIFICATION", "CLICK_NOTIFICATION"


def click_rate(notification: DataFrame) -> DataFrame:
    """EL-23."""
    sent, clicked = n(act(SENT)), n(act(CLICKED))
    return windowed(
        notification,
        T5,
        ["notification_type"],
        sent=sent,
        clicked=clicked,
        unique_users=d("user_id"),
        click_through_rate_pct=pct(clicked, sent),
    ).filter("sent > 0")


def delivery_status(notification: DataFrame) -> DataFrame:
    """EL-24."""

    def first(action: str) -> Column:
        return F.min(F.when(act(action), F.col("time")))

    sent = first(SENT)
    return windowed(
        notification,
        T5,
        ["notification_id", "notification_type"],
        sent_count=n(act(SENT)),
        viewed_count=n(act(VIEWED)),
        clicked_count=n(act(CLICKED)),
        unique_users=d("user_id"),
        sent_time=sent,
        first_view_time=first(VIEWED),
        first_click_time=first(CLICKED),
        time_to_view_seconds=secs(first(VIEWED)) - secs(sent),
        time_to_click_seconds=secs(first(CLICKED)) - secs(sent),
    )


def notification_engagement(notification: DataFrame) -> DataFrame:
    """EL-25."""
    sent, viewed, clicked = n(act(SENT)), n(act(VIEWED)), n(act(CLICKED))
    return windowed(
        notification,
        S5_1,
        ["user_id"],
        total_events=n(),
        notifications_received=sent,
        notifications_viewed=viewed,
        notifications_clicked=clicked,
        unique_notification_types=d("notification_type"),
        view_rate_pct=pct(viewed, sent),
        click_rate_pct=pct(clicked, sent),
    )


def of(port: str, view):
    """A view of one topic as a view of all of them."""
    return lambda events: view(events[port])


VIEWS = {
    "auth_realtime_active_users_1min": of("auth", lambda auth: active_users(auth, T1)),
    "auth_realtime_active_users_5min": of(
        "auth", lambda auth: active_users(auth, T5, register_count=n(act("REGISTER")))
    ),
    "auth_realtime_login_rate": of("auth", login_rate),
    "auth_realtime_session_activity": of("auth", session_activity),
    "auth_realtime_failed_logins": of("auth", failed_logins),
    "assessment_realtime_submissions_1min": of("assessment", submissions),
    "assessment_realtime_active_students": of("assessment", active_students),
    "assessment_realtime_quiz_attempts": of("assessment", quiz_attempts),
    "assessment_realtime_grading_queue": of("assessment", grading_queue),
    "assessment_realtime_submission_rate": of("assessment", submission_rate),
    "video_realtime_viewers_1min": of("video", viewers),
    "video_realtime_watch_time_5min": of("video", watch_time),
    "video_realtime_engagement_rate": of("video", video_engagement),
    "video_realtime_popular_videos": of("video", popular_videos),
    "video_realtime_concurrent_viewers": of("video", concurrent_viewers),
    "course_realtime_active_courses_1min": of("course", active_courses),
    "course_realtime_enrollment_rate": of("course", enrollment_rate),
    "course_realtime_material_access_5min": of("course", material_access),
    "course_realtime_download_activity": of("course", download_activity),
    "course_realtime_engagement_metrics": of("course", course_engagement),
    "profile_realtime_updates_1min": of(
        "profile", lambda profile: profile_updates(profile, changed_fields())
    ),
    "notification_realtime_sent_1min": of("notification", notifications_sent),
    "notification_realtime_click_rate_5min": of("notification", click_rate),
    "notification_realtime_delivery_status": of("notification", delivery_status),
    "notification_realtime_engagement_metrics": of("notification", notification_engagement),
}
