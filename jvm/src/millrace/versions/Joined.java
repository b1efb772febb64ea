package millrace.versions;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.table.data.RowData;

/**
 * A stored row of the input, with the numbers of the versions that it was last emitted with. All rows of one moment are
 * one array of bytes, which has for each: a byte, 1 if it was emitted; int64 number of the valid version; int64 number
 * of the one that was found later; int32 number of bytes, then the row.
 */
final class Joined {

    /** Number in place of a version's if there was none; no version has it. */
    static final long NONE = Long.MIN_VALUE;

    private static final int HEAD = 21;

    final byte[] bytes;
    boolean isOut;
    long valid = NONE;
    long later = NONE;

    Joined(byte[] bytes) {
        this.bytes = bytes;
    }

    RowData row(JoinVersionsCall call) {
        return Bytes.row(bytes, 0, bytes.length, call.input().getFieldCount());
    }

    static List<Joined> read(byte[] bytes) {
        List<Joined> rows = new ArrayList<>();
        if (bytes == null) {
            return rows;
        }
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        while (buffer.hasRemaining()) {
            boolean isOut = buffer.get() != 0;
            long valid = buffer.getLong();
            long later = buffer.getLong();
            byte[] row = new byte[buffer.getInt()];
            buffer.get(row);
            Joined joined = new Joined(row);
            joined.isOut = isOut;
            joined.valid = valid;
            joined.later = later;
            rows.add(joined);
        }
        return rows;
    }

    static byte[] write(List<Joined> rows) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (Joined each : rows) {
            ByteBuffer head = ByteBuffer.allocate(HEAD).put((byte) (each.isOut ? 1 : 0));
            head.putLong(each.valid).putLong(each.later).putInt(each.bytes.length);
            bytes.writeBytes(head.array());
            bytes.writeBytes(each.bytes);
        }
        return bytes.toByteArray();
    }
}
