package millrace.records;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;

import org.apache.flink.api.connector.source.SourceSplit;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/**
 * One partition's file and how far it was read.
 *
 * @param position bytes read so far: the next record starts there
 */
record Partition(int number, long position) implements SourceSplit {

    @Override
    public String splitId() {
        return Integer.toString(number);
    }

    static final class Serializer implements SimpleVersionedSerializer<Partition> {

        @Override
        public int getVersion() {
            return 1;
        }

        @Override
        public byte[] serialize(Partition partition) throws IOException {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            DataOutputStream out = new DataOutputStream(bytes);
            out.writeInt(partition.number);
            out.writeLong(partition.position);
            return bytes.toByteArray();
        }

        @Override
        public Partition deserialize(int version, byte[] serialized) throws IOException {
            DataInputStream in = new DataInputStream(new ByteArrayInputStream(serialized));
            return new Partition(in.readInt(), in.readLong());
        }
    }
}
