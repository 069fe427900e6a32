import java.util.Properties;

/** The `WITH` clauses of tables over Kafka topics. */
final class Topics {
    private Topics() {}

    /** The input, to its end as of now (`backlog`) or for ever (`live`). */
    static String input(Properties job) {
        boolean backlog = job.getProperty("mode").equals("backlog");
        String start = job.getProperty("start", "earliest");
        return """
            'connector' = 'kafka',
            'topic' = '%s',
            'properties.bootstrap.servers' = '%s',
            'properties.group.id' = 'peer-flink',
            'scan.startup.mode' = '%s-offset',
            'scan.bounded.mode' = '%s',
            'format' = 'json',
            'json.timestamp-format.standard' = 'ISO-8601'
            """.formatted(
                job.getProperty("input"),
                job.getProperty("brokers"),
                backlog ? "earliest" : start,
                backlog ? "latest-offset" : "unbounded");
    }

    /** Rows that are never changed. */
    static String finalRows(Properties job) {
        return "'connector' = 'kafka', 'format' = 'json', " + output(job);
    }

    /** Rows of which each replaces the one before it with the same key. */
    static String updates(Properties job) {
        return "'connector' = 'upsert-kafka', 'key.format' = 'json', 'value.format' = 'json', "
            + output(job);
    }

    private static String output(Properties job) {
        return """
            'topic' = '%s',
            'properties.bootstrap.servers' = '%s',
            'properties.linger.ms' = '%s'
            """.formatted(
                job.getProperty("output"),
                job.getProperty("brokers"),
                job.getProperty("linger_ms"));
    }
}
