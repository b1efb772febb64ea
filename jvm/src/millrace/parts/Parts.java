package millrace.parts;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.TreeMap;
import org.apache.flink.core.memory.MemorySegmentFactory;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.binary.BinaryRowData;
import org.apache.flink.table.runtime.typeutils.RowDataSerializer;

/**
 * One key's parts in one array of bytes: the state value, read where it lies. A value is never changed once it is
 * written.
 *
 * <p>The bytes, little endian:
 *
 * <pre>
 * byte   version
 * byte   stage: the ordinal of {@link Stage}; nothing follows when it is DONE
 * int32  fingerprint of the input's columns
 * for each part, in the order of arrival:
 *   byte   1 if it is a later part, 0 if not
 *   int32  number of bytes, then the row as Flink keeps it in memory
 * </pre>
 */
final class Parts {

    static final byte VERSION = 1;

    private static final int HEAD = 6;
    private static final int PART_HEAD = 5;

    /** How far a whole is. */
    enum Stage {
        /** Parts are still to come. */
        GATHERING,
        /** It went out with something missing. */
        INCOMPLETE,
        /** All is said; this alone is remembered. */
        DONE
    }

    private final Call call;
    private final RowDataSerializer serializer;
    private final int fingerprint;
    private final TreeMap<Integer, RowData> first = new TreeMap<>();
    private final TreeMap<Integer, RowData> later = new TreeMap<>();

    private byte[] bytes;

    Parts(Call call) {
        this.call = call;
        this.serializer = new RowDataSerializer(call.row());
        this.fingerprint = call.row().asSerializableString().hashCode();
    }

    /**
     * Look at a state value; null is a key that was never seen.
     *
     * @throws IllegalStateException if another version of this class, or a call with other columns, wrote it
     */
    void open(byte[] value) {
        first.clear();
        later.clear();
        bytes = value == null ? empty(Stage.GATHERING) : value;
        if (bytes[0] != VERSION) {
            throw new IllegalStateException(
                    "the state of gather_parts has version " + bytes[0] + ", this release reads version " + VERSION
                            + ": restore the savepoint with the release that wrote it");
        }
        if (stage() == Stage.DONE) {
            return;
        }
        ByteBuffer buffer = buffer();
        if (buffer.getInt(2) != fingerprint) {
            throw new IllegalStateException(
                    "the state of gather_parts was written for other columns than " + call.row().asSummaryString()
                            + ": restore the savepoint with the release that wrote it, or start without one");
        }
        int at = HEAD;
        while (at < bytes.length) {
            int size = buffer.getInt(at + 1);
            keep(bytes[at] != 0, row(at + PART_HEAD, size));
            at += PART_HEAD + size;
        }
    }

    private byte[] empty(Stage stage) {
        ByteBuffer head = ByteBuffer.allocate(HEAD).order(ByteOrder.LITTLE_ENDIAN);
        return head.put(VERSION).put((byte) stage.ordinal()).putInt(fingerprint).array();
    }

    private ByteBuffer buffer() {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private BinaryRowData row(int at, int size) {
        BinaryRowData row = new BinaryRowData(call.row().getFieldCount());
        row.pointTo(MemorySegmentFactory.wrap(bytes), at, size);
        return row;
    }

    private void keep(boolean isLater, RowData row) {
        (isLater ? later : first).put(row.getInt(call.part()), row);
    }

    Stage stage() {
        return Stage.values()[bytes[1]];
    }

    /** Go on to a stage; what a whole that is DONE consisted of is forgotten. */
    void enter(Stage stage) {
        bytes = stage == Stage.DONE ? new byte[] {VERSION, 0} : bytes.clone();
        bytes[1] = (byte) stage.ordinal();
    }

    /** The state value. */
    byte[] bytes() {
        return bytes;
    }

    /**
     * Take a part up, unless it was seen before, belongs to another whole than the first part that came, or is a later
     * one in which something is missing still.
     */
    boolean add(RowData part) {
        boolean isLater = isLater(part);
        boolean isKnown = (isLater ? later : first).containsKey(part.getInt(call.part()));
        if (isKnown || isOfAnother(part) || isLater && isMissing(part)) {
            return false;
        }
        BinaryRowData row = serializer.toBinaryRow(part);
        int at = bytes.length;
        bytes = Arrays.copyOf(bytes, at + PART_HEAD + row.getSizeInBytes());
        buffer().put(at, (byte) (isLater ? 1 : 0)).putInt(at + 1, row.getSizeInBytes());
        row.getSegments()[0].get(row.getOffset(), bytes, at + PART_HEAD, row.getSizeInBytes());
        keep(isLater, row(at + PART_HEAD, row.getSizeInBytes()));
        return true;
    }

    private boolean isLater(RowData part) {
        return !part.isNullAt(call.later()) && part.getBoolean(call.later());
    }

    private boolean isOfAnother(RowData part) {
        RowData any = first.isEmpty() ? null : first.firstEntry().getValue();
        if (any == null && !later.isEmpty()) {
            any = later.firstEntry().getValue();
        }
        return any != null && !part.getString(call.whole()).equals(any.getString(call.whole()));
    }

    /** Whether each part has come. */
    boolean areAllThere() {
        return !first.isEmpty() && first.size() == first.firstEntry().getValue().getInt(call.parts());
    }

    /** Whether each part that something was missing in has come again. */
    boolean isNothingMissing() {
        return first.entrySet().stream()
                .allMatch(part -> !isMissing(part.getValue()) || later.containsKey(part.getKey()));
    }

    private boolean isMissing(RowData part) {
        return !part.isNullAt(call.missing());
    }

    /** The parts as they came first, by their numbers. */
    Collection<RowData> asTheyCame() {
        return first.values();
    }

    /** The parts by their numbers, with the later one, which must be there, in place of each that something was missing in. */
    Collection<RowData> asTheyBecame() {
        List<RowData> rows = new ArrayList<>();
        first.forEach((number, part) -> rows.add(isMissing(part) ? later.get(number) : part));
        return rows;
    }
}
