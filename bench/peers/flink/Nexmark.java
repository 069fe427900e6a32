import java.util.ArrayList;
import java.util.List;
import java.util.Properties;

/**
 * Queries of NEXMark in SQL, over one topic of persons, auctions and bids, each in a field named
 * like its kind: `{"bid":{…}}`.
 *
 * <p>They say what those of the reference suite say, with windows shown as `start` (ms), so that
 * rows can be compared. All rows are final.
 */
final class Nexmark {
    private Nexmark() {}

    static List<String> statements(Properties job) {
        List<String> statements = new ArrayList<>();
        statements.add(source(job));
        statements.add(entity("person", "id", "name"));
        statements.add(entity("auction", "id", "seller"));
        statements.add(entity("bid", "auction", "bidder", "price", "dateTime", "extra"));
        statements.add("CREATE TABLE results WITH (%s, %s) AS %s".formatted(
            Topics.finalRows(job),
            "'json.encode.decimal-as-plain-number' = 'true'",
            query(job.getProperty("query"))));
        return statements;
    }

    private static String source(Properties job) {
        long delay = Long.parseLong(job.getProperty("delay_ms"));
        return """
            CREATE TABLE events (
                person ROW<id BIGINT, name STRING, `dateTime` BIGINT>,
                auction ROW<id BIGINT, seller BIGINT, `dateTime` BIGINT>,
                bid ROW<
                    auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` BIGINT, extra STRING>,
                event_time AS TO_TIMESTAMP_LTZ(
                    COALESCE(bid.`dateTime`, auction.`dateTime`, person.`dateTime`), 3),
                WATERMARK FOR event_time AS event_time - INTERVAL '%d.%03d' SECOND
            ) WITH (%s)
            """.formatted(delay / 1000, delay % 1000, Topics.input(job));
    }

    /** A view of the events of one kind. */
    private static String entity(String name, String... fields) {
        StringBuilder columns = new StringBuilder();
        for (String field : fields) {
            columns.append("events.`%s`.`%s` AS `%s`, ".formatted(name, field, field));
        }
        return "CREATE VIEW `%ss` AS SELECT %s event_time FROM events WHERE `%s` IS NOT NULL"
            .formatted(name, columns, name);
    }

    private static String query(String name) {
        return switch (name) {
            case "q0" -> "SELECT auction, bidder, price, `dateTime`, extra FROM bids";
            case "q1" -> """
                SELECT auction, bidder, CAST(0.908 * price AS DECIMAL(23, 3)) AS price,
                    `dateTime`, extra
                FROM bids
                """;
            case "q2" -> "SELECT auction, price FROM bids WHERE MOD(auction, 123) = 0";
            case "q5" -> hotItems();
            case "q7" -> highestBid();
            case "q8" -> newSellers();
            case "q11" -> """
                SELECT bidder, COUNT(*) AS bids, %s AS `start`
                FROM TABLE(SESSION(TABLE bids PARTITION BY bidder,
                    DESCRIPTOR(event_time), INTERVAL '10' SECOND))
                GROUP BY bidder, window_start, window_end
                """.formatted(START);
            default -> throw new IllegalArgumentException("Flink has no query " + name);
        };
    }

    /** The start of a window; sessions begin at any millisecond. */
    private static final String START = """
        1000 * UNIX_TIMESTAMP(CAST(window_start AS STRING))
            + EXTRACT(MILLISECOND FROM window_start)""";

    /** q5: the auctions with the most bids of a window; all of them, if they are equal. */
    private static String hotItems() {
        String counts = """
            SELECT auction, COUNT(*) AS bids, window_start, window_end
            FROM TABLE(HOP(TABLE bids, DESCRIPTOR(event_time),
                INTERVAL '2' SECOND, INTERVAL '10' SECOND))
            GROUP BY auction, window_start, window_end
            """;
        return """
            SELECT %1$s AS `start`, auction, bids
            FROM (
                SELECT counts.auction, counts.bids, counts.window_start
                FROM (%2$s) AS counts
                JOIN (
                    SELECT MAX(bids) AS most, window_start, window_end
                    FROM (%2$s)
                    GROUP BY window_start, window_end
                ) AS maxima
                ON counts.window_start = maxima.window_start
                    AND counts.window_end = maxima.window_end
                    AND counts.bids = maxima.most
            )
            """.formatted(START, counts);
    }

    /**
     * q7: the bids with the highest price of a window. Both ends of the window count, as in the
     * reference: a bid exactly at the end with that price is one too.
     */
    private static String highestBid() {
        return """
            SELECT %s AS `start`, auction, bidder, price, `dateTime`
            FROM (
                SELECT maxima.window_start, bids.auction, bids.bidder, bids.price, bids.`dateTime`
                FROM bids
                JOIN (
                    SELECT MAX(price) AS highest, window_start, window_time AS last
                    FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(event_time), INTERVAL '10' SECOND))
                    GROUP BY window_start, window_end, window_time
                ) AS maxima
                ON bids.price = maxima.highest
                    AND bids.event_time BETWEEN maxima.last - INTERVAL '9.999' SECOND
                        AND maxima.last + INTERVAL '0.001' SECOND
            )
            """.formatted(START);
    }

    /** q8: who came and opened an auction in the same window. */
    private static String newSellers() {
        return """
            SELECT id, name, %s AS `start`
            FROM (
                SELECT people.id, people.name, people.window_start
                FROM (
                    SELECT id, name, window_start, window_end
                    FROM TABLE(TUMBLE(TABLE persons, DESCRIPTOR(event_time), INTERVAL '10' SECOND))
                    GROUP BY id, name, window_start, window_end
                ) AS people
                JOIN (
                    SELECT seller, window_start, window_end
                    FROM TABLE(TUMBLE(TABLE auctions, DESCRIPTOR(event_time), INTERVAL '10' SECOND))
                    GROUP BY seller, window_start, window_end
                ) AS sellers
                ON people.id = sellers.seller
                    AND people.window_start = sellers.window_start
                    AND people.window_end = sellers.window_end
            )
            """.formatted(START);
    }
}
