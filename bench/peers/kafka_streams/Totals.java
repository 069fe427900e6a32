import java.nio.ByteBuffer;

/**
 * What is kept of a window: events, the greatest planned time, and the users as a HyperLogLog.
 *
 * <p>As bytes, which is how the store wants it: a value is written and read at every event, so a
 * set of all users, which would be exact, would be copied as a whole each time.
 */
final class Totals {
    private static final int EVENTS = 0;
    private static final int PLANNED = 8;
    private static final int REGISTERS = 16;

    /** 2^11 registers of one byte: a standard error of 2.3 %. */
    private static final int REGISTER_BITS = 11;
    private static final int REGISTER_COUNT = 1 << REGISTER_BITS;

    private Totals() {}

    static byte[] empty(boolean users) {
        return new byte[REGISTERS + (users ? REGISTER_COUNT : 0)];
    }

    static byte[] add(byte[] before, Event event) {
        // The cache may still hold the old value.
        byte[] totals = before.clone();
        ByteBuffer.wrap(totals)
            .putLong(EVENTS, events(before) + 1)
            .putLong(PLANNED, Math.max(plannedUs(before), event.plannedUs()));
        if (totals.length > REGISTERS) {
            long hash = mix(event.userId().hashCode());
            int register = REGISTERS + (int) (hash >>> (64 - REGISTER_BITS));
            long rest = hash << REGISTER_BITS | 1L << (REGISTER_BITS - 1);
            byte rank = (byte) (Long.numberOfLeadingZeros(rest) + 1);
            totals[register] = (byte) Math.max(totals[register], rank);
        }
        return totals;
    }

    static long events(byte[] totals) {
        return ByteBuffer.wrap(totals).getLong(EVENTS);
    }

    static long plannedUs(byte[] totals) {
        return ByteBuffer.wrap(totals).getLong(PLANNED);
    }

    /** The estimate of Flajolet et al., with linear counting where many registers are empty. */
    static long users(byte[] totals) {
        double sum = 0;
        int empty = 0;
        for (int at = REGISTERS; at < totals.length; at++) {
            sum += Math.scalb(1.0, -totals[at]);
            empty += totals[at] == 0 ? 1 : 0;
        }
        double count = REGISTER_COUNT;
        double estimate = 0.7213 / (1 + 1.079 / count) * count * count / sum;
        boolean few = estimate <= 2.5 * count && empty > 0;
        return Math.round(few ? count * Math.log(count / empty) : estimate);
    }

    /** The finaliser of SplitMix64: all bits of the result depend on all of the argument. */
    private static long mix(long value) {
        long bits = value * 0x9E3779B97F4A7C15L;
        bits = (bits ^ bits >>> 30) * 0xBF58476D1CE4E5B9L;
        bits = (bits ^ bits >>> 27) * 0x94D049BB133111EBL;
        return bits ^ bits >>> 31;
    }
}
