package millrace.kafka;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;

import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.ConsumerInterceptor;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.TopicPartition;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.header.Header;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ArrayNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * Keeps the headers of a record that a MAP can't hold: {@code 'properties.interceptor.classes' =
 * 'millrace.kafka.WholeHeaders'} of a Kafka table that is read.
 *
 * <p>Kafka's headers are a list, in which a name may be repeated; the column {@code METADATA FROM 'headers'} is a MAP.
 * A record with several headers gets one more, with all of them in their order, which {@link DeadLetter} takes out
 * again.
 */
public final class WholeHeaders implements ConsumerInterceptor<byte[], byte[]> {

    /** Name of the header that holds the others. */
    static final String NAME = "millrace-headers";

    @Override
    public ConsumerRecords<byte[], byte[]> onConsume(ConsumerRecords<byte[], byte[]> records) {
        for (ConsumerRecord<byte[], byte[]> record : records) {
            Header[] headers = record.headers().toArray();
            if (headers.length > 1 || headers.length == 1 && headers[0].key().equals(NAME)) {
                record.headers().add(NAME, packed(headers));
            }
        }
        return records;
    }

    /** Packs the number of headers, and for each: length of name, name, length of value or -1, value. */
    static byte[] packed(Header[] headers) {
        byte[][] names = new byte[headers.length][];
        byte[][] values = new byte[headers.length][];
        int size = Integer.BYTES;
        for (int i = 0; i < headers.length; i++) {
            names[i] = headers[i].key().getBytes(StandardCharsets.UTF_8);
            values[i] = headers[i].value();
            size += 2 * Integer.BYTES + names[i].length + (values[i] == null ? 0 : values[i].length);
        }
        ByteBuffer buffer = ByteBuffer.allocate(size).putInt(headers.length);
        for (int i = 0; i < headers.length; i++) {
            buffer.putInt(names[i].length).put(names[i]).putInt(values[i] == null ? -1 : values[i].length);
            if (values[i] != null) {
                buffer.put(values[i]);
            }
        }
        return buffer.array();
    }

    /** Unpacks the headers, each as `name` and `value`; null if the bytes are those of another program. */
    static ArrayNode unpacked(byte[] bytes, ArrayNode list) {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        try {
            for (int left = buffer.getInt(); left > 0; left--) {
                ObjectNode header = list.addObject();
                header.put("name", new String(next(buffer, buffer.getInt()), StandardCharsets.UTF_8));
                int length = buffer.getInt();
                header.put("value", length == -1 ? null : next(buffer, length));
            }
            return buffer.hasRemaining() ? null : list;
        } catch (BufferUnderflowException | IllegalArgumentException notOurs) {
            return null;
        }
    }

    private static byte[] next(ByteBuffer buffer, int length) {
        if (length < 0 || length > buffer.remaining()) {
            throw new IllegalArgumentException();
        }
        byte[] bytes = new byte[length];
        buffer.get(bytes);
        return bytes;
    }

    @Override
    public void onCommit(Map<TopicPartition, OffsetAndMetadata> offsets) {}

    @Override
    public void configure(Map<String, ?> settings) {}

    @Override
    public void close() {}
}
