import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;

/**
 * What the queries need of an event.
 *
 * <p>It is read from JSON without a tree of nodes, and crosses the repartition topic in binary:
 * JSON there would be parsed a second time. The event time crosses as the timestamp of the record.
 */
record Event(String userId, String eventType, String videoId, long millis, long plannedUs) {
    private static final JsonFactory FACTORY = new JsonFactory();

    static Serde<Event> json() {
        Serializer<Event> none = (topic, event) -> {
            throw new UnsupportedOperationException("events are only read");
        };
        return Serdes.serdeFrom(none, (topic, bytes) -> parse(bytes));
    }

    static Serde<Event> binary() {
        Serializer<Event> write = (topic, event) -> event.toBytes();
        Deserializer<Event> read = (topic, bytes) -> ofBytes(bytes);
        return Serdes.serdeFrom(write, read);
    }

    static long time(ConsumerRecord<Object, Object> record, long partitionTime) {
        return ((Event) record.value()).millis;
    }

    private static Event parse(byte[] bytes) {
        String userId = "";
        String eventType = "";
        String videoId = "";
        long millis = 0;
        long plannedUs = 0;
        try (JsonParser parser = FACTORY.createParser(bytes)) {
            parser.nextToken();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String field = parser.currentName();
                parser.nextToken();
                switch (field) {
                    case "user_id" -> userId = parser.getText();
                    case "event_type" -> eventType = parser.getText();
                    case "video_id" -> videoId = parser.getText();
                    case "timestamp" -> millis = millis(parser.getText());
                    case "planned_us" -> plannedUs = parser.getLongValue();
                    default -> parser.skipChildren();
                }
            }
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        return new Event(userId, eventType, videoId, millis, plannedUs);
    }

    /** `2026-01-01T00:00:00.123Z`, always in this form; `Instant.parse` reads any and is slower. */
    private static long millis(String text) {
        int year = number(text, 0, 4);
        long days = LocalDate.of(year, number(text, 5, 7), number(text, 8, 10)).toEpochDay();
        long minutes = (days * 24 + number(text, 11, 13)) * 60 + number(text, 14, 16);
        return (minutes * 60 + number(text, 17, 19)) * 1000 + number(text, 20, 23);
    }

    private static int number(String text, int from, int to) {
        return Integer.parseInt(text, from, to, 10);
    }

    private byte[] toBytes() {
        byte[] user = userId.getBytes(StandardCharsets.UTF_8);
        byte[] type = eventType.getBytes(StandardCharsets.UTF_8);
        byte[] video = videoId.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(8 + 3 + user.length + type.length + video.length)
            .putLong(plannedUs)
            .put((byte) user.length).put(user)
            .put((byte) type.length).put(type)
            .put((byte) video.length).put(video)
            .array();
    }

    private static Event ofBytes(byte[] bytes) {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        long plannedUs = buffer.getLong();
        return new Event(text(buffer), text(buffer), text(buffer), 0, plannedUs);
    }

    private static String text(ByteBuffer buffer) {
        int length = buffer.get();
        int from = buffer.position();
        buffer.position(from + length);
        return new String(buffer.array(), from, length, StandardCharsets.UTF_8);
    }
}
