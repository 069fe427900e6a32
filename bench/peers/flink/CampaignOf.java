import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import org.apache.flink.table.functions.ScalarFunction;

/** The campaign of an advertisement, from a table in memory; NULL if it has none. */
public final class CampaignOf extends ScalarFunction {
    private static final long serialVersionUID = 1L;

    private final HashMap<String, String> campaigns = new HashMap<>();

    /** A file of lines `advertisement,campaign`. */
    CampaignOf(Path file) throws IOException {
        for (String line : Files.readAllLines(file)) {
            int comma = line.indexOf(',');
            campaigns.put(line.substring(0, comma), line.substring(comma + 1));
        }
    }

    public String eval(String advertisement) {
        return campaigns.get(advertisement);
    }
}
