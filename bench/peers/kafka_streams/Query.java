import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;

/** What a query groups by, its windows, and which columns its rows have beside the count. */
record Query(boolean byType, TimeWindows windows, boolean users, boolean planned) {
    static Query of(Properties job) {
        Duration grace = Duration.ofMillis(Long.parseLong(job.getProperty("grace_ms")));
        String name = job.getProperty("query");
        return switch (name) {
            case "count" -> {
                TimeWindows minute = TimeWindows.ofSizeAndGrace(Duration.ofMinutes(1), grace);
                yield new Query(false, minute, false, false);
            }
            case "distinct" -> {
                TimeWindows five = TimeWindows.ofSizeAndGrace(Duration.ofMinutes(5), grace);
                yield new Query(true, five.advanceBy(Duration.ofMinutes(1)), true, false);
            }
            case "latest" -> {
                TimeWindows ten = TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), grace);
                yield new Query(false, ten, false, true);
            }
            default -> throw new IllegalArgumentException("Kafka Streams has no query " + name);
        };
    }

    String key(Event event) {
        return byType ? event.eventType() : event.videoId();
    }

    /** JSON. Keys are plain words, so nothing is escaped. */
    String row(Windowed<String> window, byte[] totals) {
        StringBuilder row = new StringBuilder(96)
            .append("{\"key\":\"").append(window.key())
            .append("\",\"start\":").append(window.window().start())
            .append(",\"events\":").append(Totals.events(totals));
        if (users) {
            row.append(",\"users\":").append(Totals.users(totals));
        }
        if (planned) {
            row.append(",\"planned_us\":").append(Totals.plannedUs(totals));
        }
        return row.append('}').toString();
    }
}
