package millrace.records;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;

/**
 * A record as a Kafka consumer sees it. Key, value and header values may be null.
 *
 * @param size bytes that it takes in the file
 */
record Record(
        int partition, long offset, long timestamp, byte[] key, byte[] value, Map<String, byte[]> headers, int size) {

    /** Reads the next record, or returns null at the end of the file. */
    static Record read(int partition, DataInputStream in) throws IOException {
        int length;
        try {
            length = in.readInt();
        } catch (EOFException end) {
            return null;
        }
        long offset = in.readLong();
        long timestamp = in.readLong();
        byte[] key = bytes(in);
        byte[] value = bytes(in);
        Map<String, byte[]> headers = new TreeMap<>();
        for (int left = in.readInt(); left > 0; left--) {
            headers.put(in.readUTF(), bytes(in));
        }
        return new Record(partition, offset, timestamp, key, value, headers, Integer.BYTES + length);
    }

    private static byte[] bytes(DataInputStream in) throws IOException {
        int length = in.readInt();
        if (length < 0) {
            return null;
        }
        byte[] bytes = new byte[length];
        in.readFully(bytes);
        return bytes;
    }
}
