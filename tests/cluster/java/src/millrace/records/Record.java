package millrace.records;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
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

    /** Appends a record without headers. */
    static void write(DataOutputStream out, long offset, long timestamp, byte[] key, byte[] value) throws IOException {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        DataOutputStream fields = new DataOutputStream(body);
        fields.writeLong(offset);
        fields.writeLong(timestamp);
        writeBytes(fields, key);
        writeBytes(fields, value);
        fields.writeInt(0);
        out.writeInt(body.size());
        body.writeTo(out);
    }

    private static void writeBytes(DataOutputStream out, byte[] bytes) throws IOException {
        out.writeInt(bytes == null ? -1 : bytes.length);
        if (bytes != null) {
            out.write(bytes);
        }
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
