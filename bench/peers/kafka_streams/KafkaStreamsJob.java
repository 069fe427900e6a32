import java.io.FileReader;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KafkaStreams.State;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindowedKStream;

/** The peer Kafka Streams: a windowed count from topic to topic. README.md has the contract. */
public final class KafkaStreamsJob {
    /** How long the last rows may take to be written. */
    private static final Duration CLOSE_MAX = Duration.ofSeconds(30);

    private final Properties job = new Properties();

    public static void main(String[] arguments) throws Exception {
        new KafkaStreamsJob(arguments[0]).run();
        System.exit(0);
    }

    private KafkaStreamsJob(String path) throws IOException {
        try (Reader reader = new FileReader(path)) {
            job.load(reader);
        }
    }

    private void run() throws IOException, InterruptedException {
        long records = isBacklog() ? recordsOfInput() : Long.MAX_VALUE / 2;
        KafkaStreams streams = new KafkaStreams(topology(), settings());
        CountDownLatch stop = new CountDownLatch(1);
        CountDownLatch stopped = new CountDownLatch(1);
        // SIGTERM asks for the end; the JVM waits until this hook returns.
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            stop.countDown();
            await(stopped);
        }));
        streams.setStateListener((now, before) -> {
            if (now == State.RUNNING && before == State.REBALANCING) {
                System.out.println("ready");
            }
        });
        streams.start();
        // Every record is processed twice, before and behind the repartition topic.
        while (!stop.await(100, TimeUnit.MILLISECONDS)
            && total(streams, "process-total", "stream-thread-metrics") < 2 * records
            && streams.state() != State.ERROR) {}
        double dropped = total(streams, "dropped-records-total", "stream-task-metrics");
        boolean failed = streams.state() == State.ERROR;
        streams.close(CLOSE_MAX);
        System.out.printf("dropped %.0f%n", dropped);
        stopped.countDown();
        if (failed) {
            System.exit(1);
        }
    }

    private Topology topology() {
        Query query = Query.of(job);
        StreamsBuilder builder = new StreamsBuilder();
        TimeWindowedKStream<String, Event> windows = builder
            .stream(
                job.getProperty("input"),
                Consumed.with(Serdes.ByteArray(), Event.json()).withTimestampExtractor(Event::time))
            .groupBy(
                (none, event) -> query.key(event),
                Grouped.with(Serdes.String(), Event.binary()))
            .windowedBy(query.windows());
        if (job.getProperty("rows").equals("final")) {
            windows = windows.emitStrategy(EmitStrategy.onWindowClose());
        }
        windows
            .aggregate(
                () -> Totals.empty(query.users()),
                (key, event, totals) -> Totals.add(totals, event),
                Materialized.with(Serdes.String(), Serdes.ByteArray()))
            .toStream()
            .map((window, totals) -> KeyValue.pair(window.key(), query.row(window, totals)))
            .to(job.getProperty("output"), Produced.with(Serdes.String(), Serdes.String()));
        return builder.build();
    }

    private Properties settings() throws IOException {
        Properties settings = new Properties();
        settings.put("application.id", "peer-" + job.getProperty("output") + "-" + instance());
        settings.put("bootstrap.servers", job.getProperty("brokers"));
        settings.put("state.dir", job.getProperty("work"));
        settings.put("num.stream.threads", job.getProperty("parallelism"));
        settings.put("auto.offset.reset", job.getProperty("start", "earliest"));
        settings.put("producer.linger.ms", job.getProperty("linger_ms"));
        if (!job.getProperty("checkpoint_ms", "0").equals("0")) {
            settings.put("commit.interval.ms", job.getProperty("checkpoint_ms"));
        }
        if (!isBacklog()) {
            // Else a row waits in the cache until the next commit, 30 s by default.
            settings.put("statestore.cache.max.bytes", "0");
        }
        for (String name : job.stringPropertyNames()) {
            if (name.startsWith("extra.")) {
                settings.put(name.substring("extra.".length()), job.getProperty(name));
            }
        }
        return settings;
    }

    /**
     * What tells this job from others of its name. The broker keeps what an application has read,
     * so this is kept in the folder: a job that is started again there goes on, another one begins.
     */
    private String instance() throws IOException {
        Path path = Path.of(job.getProperty("work"), "application");
        if (Files.notExists(path)) {
            Files.writeString(path, Long.toString(System.currentTimeMillis(), 36));
        }
        return Files.readString(path);
    }

    private boolean isBacklog() {
        return job.getProperty("mode").equals("backlog");
    }

    private long recordsOfInput() {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", job.getProperty("brokers"));
        ByteArrayDeserializer bytes = new ByteArrayDeserializer();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings, bytes, bytes)) {
            var partitions = consumer.partitionsFor(job.getProperty("input")).stream()
                .map(info -> new TopicPartition(info.topic(), info.partition()))
                .toList();
            return sum(consumer.endOffsets(partitions).values())
                - sum(consumer.beginningOffsets(partitions).values());
        }
    }

    private static long sum(Iterable<Long> offsets) {
        long sum = 0;
        for (long offset : offsets) {
            sum += offset;
        }
        return sum;
    }

    /** A metric, over all threads and tasks. */
    private static double total(KafkaStreams streams, String name, String group) {
        return streams.metrics().values().stream()
            .filter(metric -> metric.metricName().name().equals(name))
            .filter(metric -> metric.metricName().group().equals(group))
            .mapToDouble(metric -> (Double) metric.metricValue())
            .sum();
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await(CLOSE_MAX.toSeconds(), TimeUnit.SECONDS);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
