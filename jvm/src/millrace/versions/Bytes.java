package millrace.versions;

import org.apache.flink.core.memory.MemorySegmentFactory;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.binary.BinaryRowData;
import org.apache.flink.table.runtime.typeutils.RowDataSerializer;

/** Converts rows to bytes, in Flink's memory format, and back; a row that was read refers to the bytes. */
final class Bytes {

    private Bytes() {}

    static byte[] of(RowData row, RowDataSerializer serializer) {
        BinaryRowData binary = serializer.toBinaryRow(row);
        byte[] bytes = new byte[binary.getSizeInBytes()];
        binary.getSegments()[0].get(binary.getOffset(), bytes, 0, bytes.length);
        return bytes;
    }

    static RowData row(byte[] bytes, int at, int size, int columns) {
        BinaryRowData row = new BinaryRowData(columns);
        row.pointTo(MemorySegmentFactory.wrap(bytes), at, size);
        return row;
    }
}
