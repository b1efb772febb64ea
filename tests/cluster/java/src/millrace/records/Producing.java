package millrace.records;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.ProducerInterceptor;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.InvalidTimestampException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.RecordTooLargeException;

/** What Kafka's producer and a broker with its default limits do to a record before it is in its topic. */
final class Producing {

    private static final int LARGEST = 1_048_576; // max.request.size, and about max.message.bytes
    private static final int OVERHEAD = 82; // of a batch of one record
    private static final long FURTHEST_AHEAD_MS = 300_000; // as our topics are declared

    private final List<ProducerInterceptor<byte[], byte[]>> interceptors = new ArrayList<>();

    Producing(Map<String, String> settings) {
        for (String name : settings.getOrDefault("interceptor.classes", "").split(",")) {
            if (!name.isEmpty()) {
                interceptors.add(made(name));
            }
        }
        interceptors.forEach(each -> each.configure(settings));
    }

    @SuppressWarnings("unchecked")
    private static ProducerInterceptor<byte[], byte[]> made(String name) {
        try {
            return (ProducerInterceptor<byte[], byte[]>)
                    Class.forName(name, true, Thread.currentThread().getContextClassLoader())
                            .getDeclaredConstructor()
                            .newInstance();
        } catch (ReflectiveOperationException failure) {
            throw new IllegalArgumentException(name, failure);
        }
    }

    /** The record as its topic has it, or the exception that would fail the job. */
    ProducerRecord<byte[], byte[]> sent(String topic, Long timestamp, byte[] key, byte[] value) {
        ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, null, timestamp, key, value);
        for (ProducerInterceptor<byte[], byte[]> interceptor : interceptors) {
            record = interceptor.onSend(record);
        }
        long size = OVERHEAD + length(record.key()) + length(record.value());
        if (size > LARGEST) {
            throw new RecordTooLargeException("a record of " + size + " bytes for " + record.topic());
        }
        if (record.timestamp() != null && record.timestamp() > System.currentTimeMillis() + FURTHEST_AHEAD_MS) {
            throw new InvalidTimestampException(record.timestamp() + " for " + record.topic());
        }
        return record;
    }

    private static int length(byte[] bytes) {
        return bytes == null ? 0 : bytes.length;
    }
}
