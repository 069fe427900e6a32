import java.io.FileReader;
import java.io.Reader;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.TableResult;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

/** The peer Flink: SQL from a topic to a topic, in one JVM. README.md has the contract. */
public final class FlinkJob {
    public static void main(String[] arguments) throws Exception {
        Properties job = new Properties();
        try (Reader reader = new FileReader(arguments[0])) {
            job.load(reader);
        }
        String query = job.getProperty("query");
        StreamTableEnvironment tables = environment(job);
        List<String> statements;
        if (query.equals("ysb")) {
            CampaignOf campaigns = new CampaignOf(Path.of(job.getProperty("campaigns")));
            tables.createTemporarySystemFunction("campaign_of", campaigns);
            statements = Ysb.statements(job);
        } else if (query.startsWith("q")) {
            statements = Nexmark.statements(job);
        } else {
            statements = EventQueries.statements(job);
        }
        TableResult insert = null;
        for (String statement : statements) {
            insert = tables.executeSql(statement);
        }
        JobClient client = insert.getJobClient().orElseThrow();
        JobStatus status;
        do {
            Thread.sleep(20);
            status = client.getJobStatus().get();
        } while (status == JobStatus.INITIALIZING || status == JobStatus.CREATED);
        System.out.println("ready");
        // A bounded source ends the job; a live one runs until SIGTERM ends the JVM.
        insert.await();
        System.exit(0);
    }

    private static StreamTableEnvironment environment(Properties job) {
        String parallelism = job.getProperty("parallelism");
        Configuration settings = new Configuration();
        settings.setString("parallelism.default", parallelism);
        settings.setString("taskmanager.numberOfTaskSlots", parallelism);
        settings.setString("pipeline.object-reuse", "true");
        settings.setString("table.local-time-zone", "UTC");
        settings.setString("rest.address", "127.0.0.1");
        settings.setString("rest.bind-address", "127.0.0.1");
        settings.setString("io.tmp.dirs", job.getProperty("work"));
        if (job.getProperty("mode").equals("live")) {
            // Full buffers, which the default waits 100 ms for, serve throughput.
            settings.setString("execution.buffer-timeout.interval", "1 ms");
        }
        if (job.getProperty("rows").equals("update")) {
            // Each event changes a row, and each change is written.
            settings.setString("table.exec.emit.early-fire.enabled", "true");
            settings.setString("table.exec.emit.early-fire.delay", "0 ms");
            // The planner does not see that a computed start is as unique as its window is.
            settings.setString("table.exec.sink.require-on-conflict", "false");
            settings.setString("table.exec.sink.upsert-materialize", "NONE");
        }
        String checkpointMs = job.getProperty("checkpoint_ms", "0");
        if (!checkpointMs.equals("0")) {
            String folder = "file://" + job.getProperty("work") + "/checkpoints";
            settings.setString("execution.checkpointing.interval", checkpointMs + " ms");
            settings.setString("execution.checkpointing.dir", folder);
        }
        for (String name : job.stringPropertyNames()) {
            if (name.startsWith("extra.")) {
                settings.setString(name.substring("extra.".length()), job.getProperty(name));
            }
        }
        return StreamTableEnvironment.create(
            StreamExecutionEnvironment.createLocalEnvironment(
                Integer.parseInt(parallelism), settings));
    }
}
