package millrace.kafka;

import java.io.IOException;
import java.util.List;
import java.util.Map;

import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.ProducerInterceptor;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.RecordMetadata;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Changes every record that a job emits into one that its topic accepts, so that no record stops the job: {@code
 * 'properties.interceptor.classes' = 'millrace.kafka.BoundedRecords'} of a Kafka table that is written to.
 *
 * <p>A dead letter is cut to the limit, as {@link DeadLetter} describes. Any other event beyond the limit is replaced
 * by a dead letter that has its beginning and the reason. A timestamp further ahead than brokers allow becomes the time
 * of this machine; the event's own {@code event_time} stays.
 *
 * <p>Its settings are properties of the same table: {@code millrace.record.bytes}, {@code millrace.future.ms}, {@code
 * millrace.letter.topics} (events that can't be written go to the first one) and {@code millrace.job}.
 */
public final class BoundedRecords implements ProducerInterceptor<byte[], byte[]> {

    private static final Logger LOG = LoggerFactory.getLogger(BoundedRecords.class);

    private int recordBytes;
    private long futureMs;
    private List<String> letterTopics;
    private String job;

    @Override
    public void configure(Map<String, ?> settings) {
        recordBytes = Integer.parseInt(setting(settings, "millrace.record.bytes"));
        futureMs = Long.parseLong(setting(settings, "millrace.future.ms"));
        letterTopics = List.of(setting(settings, "millrace.letter.topics").split(","));
        job = setting(settings, "millrace.job");
    }

    private static String setting(Map<String, ?> settings, String name) {
        Object value = settings.get(name);
        if (value == null) {
            throw new IllegalArgumentException(
                    BoundedRecords.class.getName() + " needs 'properties." + name + "' in the table's options");
        }
        return value.toString();
    }

    /** Never throws: Kafka would ignore the exception and send the record unchanged. */
    @Override
    public ProducerRecord<byte[], byte[]> onSend(ProducerRecord<byte[], byte[]> record) {
        try {
            if (letterTopics.contains(record.topic())) {
                return fitted(record, DeadLetter.of(record.value()));
            }
            long bytes = bytes(record);
            if (bytes <= recordBytes) {
                return isTooFarAhead(record) ? sent(record, record.topic(), record.key(), record.value()) : record;
            }
            LOG.warn("An event of {} bytes for {} becomes a dead letter.", bytes, record.topic());
            return fitted(record, DeadLetter.ofUnwritten(record, bytes, recordBytes, job));
        } catch (IOException | RuntimeException failure) {
            LOG.error("A record for {} can't be bounded.", record.topic(), failure);
            return record;
        }
    }

    private ProducerRecord<byte[], byte[]> fitted(ProducerRecord<byte[], byte[]> record, DeadLetter letter)
            throws IOException {
        byte[] value = letter.fitted(record.key(), recordBytes);
        String topic = letterTopics.contains(record.topic()) ? record.topic() : letterTopics.get(0);
        return sent(record, topic, letter.recordKey(record.key()), value);
    }

    private ProducerRecord<byte[], byte[]> sent(
            ProducerRecord<byte[], byte[]> record, String topic, byte[] key, byte[] value) {
        Long timestamp = isTooFarAhead(record) ? Long.valueOf(System.currentTimeMillis()) : record.timestamp();
        return new ProducerRecord<>(topic, null, timestamp, key, value, record.headers());
    }

    private boolean isTooFarAhead(ProducerRecord<byte[], byte[]> record) {
        return record.timestamp() != null && record.timestamp() - futureMs > System.currentTimeMillis();
    }

    private static long bytes(ProducerRecord<byte[], byte[]> record) {
        long bytes = length(record.key()) + length(record.value());
        for (var header : record.headers()) {
            bytes += header.key().length() + length(header.value());
        }
        return bytes;
    }

    private static long length(byte[] bytes) {
        return bytes == null ? 0 : bytes.length;
    }

    @Override
    public void onAcknowledgement(RecordMetadata metadata, Exception failure) {}

    @Override
    public void close() {}
}
