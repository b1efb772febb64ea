package millrace.parts;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
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
 * byte   1 if the whole is done; nothing follows then
 * int32  fingerprint of the input's columns
 * int32  revision that was emitted last, 0 before the first
 * for each part, by kind and number:
 *   byte   1 if it is a later part, 0 if not
 *   int32  number of bytes, then the row as Flink keeps it in memory
 * </pre>
 */
final class Parts {

    static final byte VERSION = 2;

    private static final byte[] DONE = {VERSION, 1};
    private static final int HEAD = 10;
    private static final int PART_HEAD = 5;

    private final GatherPartsCall call;
    private final RowDataSerializer serializer;
    private final int fingerprint;
    private final TreeMap<Integer, BinaryRowData> first = new TreeMap<>();
    private final TreeMap<Integer, BinaryRowData> later = new TreeMap<>();

    private int revision;
    private boolean isDone;

    Parts(GatherPartsCall call) {
        this.call = call;
        this.serializer = new RowDataSerializer(call.row());
        this.fingerprint = call.row().asSerializableString().hashCode();
    }

    /**
     * Opens a state value; null is a key that was never seen.
     *
     * @throws IllegalStateException if another version of this class, or a call with other columns, wrote it
     */
    void open(byte[] bytes) {
        first.clear();
        later.clear();
        revision = 0;
        isDone = false;
        if (bytes == null) {
            return;
        }
        if (bytes[0] != VERSION) {
            throw new IllegalStateException(
                    "the state of gather_parts has version " + bytes[0] + ", this release reads version " + VERSION
                            + ": restore the savepoint with the release that wrote it");
        }
        isDone = bytes[1] != 0;
        if (isDone) {
            return;
        }
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        if (buffer.getInt(2) != fingerprint) {
            throw new IllegalStateException(
                    "the state of gather_parts was written for other columns than " + call.row().asSummaryString()
                            + ": restore the savepoint with the release that wrote it, or start without one");
        }
        revision = buffer.getInt(6);
        int at = HEAD;
        while (at < bytes.length) {
            int size = buffer.getInt(at + 1);
            BinaryRowData row = new BinaryRowData(call.row().getFieldCount());
            row.pointTo(MemorySegmentFactory.wrap(bytes), at + PART_HEAD, size);
            keep(bytes[at] != 0, row);
            at += PART_HEAD + size;
        }
    }

    private void keep(boolean isLater, BinaryRowData row) {
        (isLater ? later : first).put(row.getInt(call.part()), row);
    }

    /** The revision that was emitted last, 0 before the first. */
    int revision() {
        return revision;
    }

    /** Advances to the next revision. */
    void goOn() {
        revision++;
    }

    /** Whether the whole takes no corrections any more. */
    boolean isDone() {
        return isDone;
    }

    /** The state value of a whole that is done. */
    byte[] done() {
        return DONE.clone();
    }

    /** The state value. */
    byte[] bytes() {
        int size = HEAD;
        for (TreeMap<Integer, BinaryRowData> parts : List.of(first, later)) {
            size += parts.values().stream().mapToInt(row -> PART_HEAD + row.getSizeInBytes()).sum();
        }
        ByteBuffer buffer = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        buffer.put(VERSION).put((byte) 0).putInt(fingerprint).putInt(revision);
        first.values().forEach(row -> write(buffer, 0, row));
        later.values().forEach(row -> write(buffer, 1, row));
        return buffer.array();
    }

    private static void write(ByteBuffer buffer, int isLater, BinaryRowData row) {
        buffer.put((byte) isLater).putInt(row.getSizeInBytes());
        row.getSegments()[0].get(row.getOffset(), buffer.array(), buffer.position(), row.getSizeInBytes());
        buffer.position(buffer.position() + row.getSizeInBytes());
    }

    /** Adds a part, unless an equal one is there, or it belongs to another whole than the first part. */
    boolean add(RowData part) {
        BinaryRowData row = serializer.toBinaryRow(part).copy();
        boolean isLater = isLater(part);
        if (isOfAnother(part) || row.equals((isLater ? later : first).get(part.getInt(call.part())))) {
            return false;
        }
        keep(isLater, row);
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
        return any != null
                && (!part.getString(call.whole()).equals(any.getString(call.whole()))
                        || part.getLong(call.moment()) != any.getLong(call.moment()));
    }

    /** Whether every part has arrived. */
    boolean areAllThere() {
        return !first.isEmpty() && first.size() == first.firstEntry().getValue().getInt(call.parts());
    }

    /** Whether every part that lacked something has arrived again with it. */
    boolean isNothingMissing() {
        return first.entrySet().stream().allMatch(part -> !isMissing(part.getValue()) || isFound(part.getKey()));
    }

    private boolean isFound(int number) {
        return later.containsKey(number) && !isMissing(later.get(number));
    }

    private boolean isMissing(RowData part) {
        return !part.isNullAt(call.missing());
    }

    /** The parts without later ones, by their numbers. */
    Collection<RowData> asTheyWere() {
        return List.copyOf(first.values());
    }

    /** The parts by their numbers, with the later one, which must exist, in place of each that lacks something. */
    Collection<RowData> asTheyBecame() {
        List<RowData> rows = new ArrayList<>();
        first.forEach((number, part) -> rows.add(isMissing(part) ? later.get(number) : part));
        return rows;
    }
}
