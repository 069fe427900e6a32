import java.util.List;
import java.util.Properties;

/**
 * The Yahoo Streaming Benchmark in SQL: views of each campaign in ten seconds.
 *
 * <p>The table of campaigns is in memory, behind a function, as it never changes: a join with it
 * would keep every event as its state. All rows are final.
 */
final class Ysb {
    private Ysb() {}

    static List<String> statements(Properties job) {
        return List.of(
            source(job),
            "CREATE TABLE results (`key` STRING, `start` BIGINT, events BIGINT) WITH (%s)"
                .formatted(Topics.finalRows(job)),
            """
            CREATE VIEW seen AS
            SELECT campaign_of(ad_id) AS campaign, shown FROM events WHERE event_type = 'view'
            """,
            """
            INSERT INTO results
            SELECT campaign, %s, COUNT(*)
            FROM TABLE(TUMBLE(TABLE seen, DESCRIPTOR(shown), INTERVAL '10' SECOND))
            WHERE campaign IS NOT NULL
            GROUP BY campaign, window_start, window_end
            """.formatted(EventQueries.start("window_start")));
    }

    private static String source(Properties job) {
        long delay = Long.parseLong(job.getProperty("delay_ms"));
        return """
            CREATE TABLE events (
                ad_id STRING,
                event_type STRING,
                event_time BIGINT,
                shown AS TO_TIMESTAMP_LTZ(event_time, 3),
                WATERMARK FOR shown AS shown - INTERVAL '%d.%03d' SECOND
            ) WITH (%s)
            """.formatted(delay / 1000, delay % 1000, Topics.input(job));
    }
}
