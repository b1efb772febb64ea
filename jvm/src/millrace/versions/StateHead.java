package millrace.versions;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * The head of a key's state, which each row reads: the versions that the next rows in time need, and what decides
 * whether other versions must be read. One array of bytes:
 *
 * <pre>
 * byte   format
 * int32  fingerprint of the columns
 * int64  greatest number of a version so far
 * int64  greatest moment of a row that was joined
 * byte   1 if a joined row found no version, and none after its moment either
 * int64  time of the next sweep, 0 if none is set
 * int64  time from which the first version after those here is valid, the greatest number if there is none
 * for each version, by the time from which it is valid:
 *   int32  number of bytes, then the row
 * </pre>
 */
final class StateHead {

    static final byte FORMAT = 1;

    /**
     * Maximum number of versions here: a topic replay reads a hot row's versions long before the rows that need them.
     */
    static final int MOST = 64;

    static final long NEVER = Long.MAX_VALUE;

    private static final int SIZE = 38;

    final List<Version> versions = new ArrayList<>();
    long greatest;
    long joinedUntil;
    boolean isOpen;
    long sweepAt;
    long othersFrom;

    private final JoinVersionsCall call;
    private final int fingerprint;

    StateHead(JoinVersionsCall call) {
        this.call = call;
        String columns = call.input().asSerializableString() + call.versions().asSerializableString();
        this.fingerprint = columns.hashCode();
    }

    /**
     * Opens a state value; null is a key that was never seen.
     *
     * @throws IllegalStateException if another release, or a call with other columns, wrote it
     */
    void open(byte[] bytes) {
        versions.clear();
        greatest = Long.MIN_VALUE;
        joinedUntil = Long.MIN_VALUE;
        isOpen = false;
        sweepAt = 0;
        othersFrom = NEVER;
        if (bytes == null) {
            return;
        }
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        if (buffer.get() != FORMAT || buffer.getInt() != fingerprint) {
            throw new IllegalStateException(
                    "the state of join_versions was written by another release, or for other columns than "
                            + call.input().asSummaryString() + " and " + call.versions().asSummaryString()
                            + ": restore the savepoint with the release that wrote it, or start without one");
        }
        greatest = buffer.getLong();
        joinedUntil = buffer.getLong();
        isOpen = buffer.get() != 0;
        sweepAt = buffer.getLong();
        othersFrom = buffer.getLong();
        while (buffer.hasRemaining()) {
            byte[] version = new byte[buffer.getInt()];
            buffer.get(version);
            versions.add(new Version(version, call));
        }
    }

    /** The state value. */
    byte[] bytes() {
        int size = SIZE + versions.stream().mapToInt(version -> 4 + version.bytes.length).sum();
        ByteBuffer buffer = ByteBuffer.allocate(size);
        buffer.put(FORMAT).putInt(fingerprint).putLong(greatest).putLong(joinedUntil);
        buffer.put((byte) (isOpen ? 1 : 0)).putLong(sweepAt).putLong(othersFrom);
        for (Version version : versions) {
            buffer.putInt(version.bytes.length).put(version.bytes);
        }
        return buffer.array();
    }
}
