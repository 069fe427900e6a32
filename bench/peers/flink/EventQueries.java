import java.util.List;
import java.util.Properties;

/**
 * `count`, `distinct` and `latest` over the events, in SQL.
 *
 * <p>Final rows come from window table functions, which never show an open window. Updates come
 * from the older group windows, which `table.exec.emit.early-fire` lets show each change. Those are
 * slow where an event is in many windows, so the updates of `distinct` are a plain `GROUP BY` on a
 * computed start: there no event is late, and no state is forgotten.
 */
final class EventQueries {
    private EventQueries() {}

    static List<String> statements(Properties job) {
        boolean updates = job.getProperty("rows").equals("update");
        String query = job.getProperty("query");
        return List.of(
            source(job),
            sink(job, query, updates),
            "INSERT INTO results " + (updates ? updates(query) : finalRows(query)));
    }

    /** The watermark is computed in the source, for each partition. */
    private static String source(Properties job) {
        long delay = Long.parseLong(job.getProperty("delay_ms"));
        return """
            CREATE TABLE events (
                user_id STRING,
                event_type STRING,
                video_id STRING,
                `timestamp` TIMESTAMP_LTZ(3),
                planned_us BIGINT,
                WATERMARK FOR `timestamp` AS `timestamp` - INTERVAL '%d.%03d' SECOND
            ) WITH (%s)
            """.formatted(delay / 1000, delay % 1000, Topics.input(job));
    }

    private static String sink(Properties job, String query, boolean updates) {
        String more = switch (query) {
            case "distinct" -> ", `users` BIGINT";
            case "latest" -> ", planned_us BIGINT";
            default -> "";
        };
        String key = updates ? ", PRIMARY KEY (`key`, `start`) NOT ENFORCED" : "";
        String topic = updates ? Topics.updates(job) : Topics.finalRows(job);
        return "CREATE TABLE results (`key` STRING, `start` BIGINT, events BIGINT%s%s) WITH (%s)"
            .formatted(more, key, topic);
    }

    private static String finalRows(String query) {
        return switch (query) {
            case "count" -> """
                SELECT video_id, %s, COUNT(*)
                FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(`timestamp`), INTERVAL '1' MINUTE))
                GROUP BY video_id, window_start, window_end
                """.formatted(start("window_start"));
            case "distinct" -> """
                SELECT event_type, %s, COUNT(*), COUNT(DISTINCT user_id)
                FROM TABLE(HOP(TABLE events, DESCRIPTOR(`timestamp`),
                    INTERVAL '1' MINUTE, INTERVAL '5' MINUTE))
                GROUP BY event_type, window_start, window_end
                """.formatted(start("window_start"));
            case "latest" -> """
                SELECT video_id, %s, COUNT(*), MAX(planned_us)
                FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(`timestamp`), INTERVAL '10' SECOND))
                GROUP BY video_id, window_start, window_end
                """.formatted(start("window_start"));
            default -> throw new IllegalArgumentException("Flink has no query " + query);
        };
    }

    private static String updates(String query) {
        return switch (query) {
            case "count" -> """
                SELECT video_id, %s, COUNT(*)
                FROM events
                GROUP BY video_id, TUMBLE(`timestamp`, INTERVAL '1' MINUTE)
                """.formatted(start("TUMBLE_START(`timestamp`, INTERVAL '1' MINUTE)"));
            case "distinct" -> """
                SELECT event_type, `start`, COUNT(*), COUNT(DISTINCT user_id)
                FROM (SELECT event_type, user_id, %s - back * 60000 AS `start`
                    FROM events CROSS JOIN UNNEST(ARRAY[0, 1, 2, 3, 4]) AS steps (back))
                GROUP BY event_type, `start`
                """.formatted(start("FLOOR(CAST(`timestamp` AS TIMESTAMP(3)) TO MINUTE)"));
            case "latest" -> """
                SELECT video_id, %s, COUNT(*), MAX(planned_us)
                FROM events
                GROUP BY video_id, TUMBLE(`timestamp`, INTERVAL '10' SECOND)
                """.formatted(start("TUMBLE_START(`timestamp`, INTERVAL '10' SECOND)"));
            default -> throw new IllegalArgumentException("Flink has no query " + query);
        };
    }

    /** A timestamp in the session's zone, UTC, of whole seconds, as ms since the epoch. */
    static String start(String timestamp) {
        return """
            1000 * CAST(TIMESTAMPDIFF(SECOND,
                TIMESTAMP '1970-01-01 00:00:00', CAST(%s AS TIMESTAMP(3))) AS BIGINT)
            """.formatted(timestamp);
    }
}
