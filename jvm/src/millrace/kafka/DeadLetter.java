package millrace.kafka;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Map;

import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonFactory;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.StreamReadConstraints;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.json.JsonWriteFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ArrayNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * A dead letter, as {@code events/dead_letter.py} declares it, that is cut to the limit of its topic. {@code
 * connectors/kafka/dead_letter_size.py} does the same in Python.
 *
 * <p>Its {@code event_time} lies between 1970 and the year 9999, and {@code source_time} keeps the record's own time if
 * that is another. Headers whose names are repeated, or that have an order, are in {@code header_list}. If it is larger
 * than the topic's limit, key, headers, reason and payload are cut to their beginnings, and {@code cut} has their full
 * sizes.
 */
final class DeadLetter {

    static final long END_OF_TIME_MS = 253_402_300_799_999L; // the last millisecond of the year 9999
    static final int KEY_BYTES = 1_024;
    static final int HEADER_BYTES = 16_384;
    static final int HEADER_OVERHEAD = 32;
    static final int REASON_CHARACTERS = 4_000;

    private static final String UNWRITTEN = "not written: it takes %,d bytes, and a record of %s can have %,d";
    private static final ObjectMapper JSON = new ObjectMapper(parsers());

    private final ObjectNode fields;
    private boolean isCut;

    private DeadLetter(ObjectNode fields) {
        this.fields = fields;
    }

    private static JsonFactory parsers() {
        StreamReadConstraints constraints =
                StreamReadConstraints.builder()
                        .maxStringLength(Integer.MAX_VALUE)
                        .maxNameLength(Integer.MAX_VALUE)
                        .maxDocumentLength(-1)
                        .build();
        // Names include those of headers: a producer may use any number of names, and none of them must be kept.
        return JsonFactory.builder()
                .streamReadConstraints(constraints)
                .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
                .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
                // As in Python, in 4 bytes instead of 12, so that the same dead letters fit in both languages.
                .enable(JsonWriteFeature.COMBINE_UNICODE_SURROGATES_IN_UTF8)
                .build();
    }

    /** Decodes a dead letter that a job has encoded. */
    static DeadLetter of(byte[] value) throws IOException {
        return new DeadLetter((ObjectNode) JSON.readTree(value));
    }

    /**
     * Makes the dead letter of an event that its topic doesn't accept; never written, it has no partition and offset.
     */
    static DeadLetter ofUnwritten(ProducerRecord<byte[], byte[]> event, long bytes, int limit, String job) {
        byte[] value = event.value() == null ? new byte[0] : event.value();
        ObjectNode fields = JSON.createObjectNode();
        fields.put("event_id", event.topic() + "-unwritten-" + sha256(value).substring(0, 16));
        fields.put("event_type", "dead_letter");
        fields.put("event_time", event.timestamp() == null ? System.currentTimeMillis() : event.timestamp());
        fields.put("source_topic", event.topic());
        fields.put("source_partition", -1);
        fields.put("source_offset", -1);
        fields.put("source_key", event.key());
        fields.putObject("source_headers");
        fields.put("payload", event.value());
        fields.put("reason", String.format(Locale.ROOT, UNWRITTEN, bytes, event.topic(), limit));
        fields.put("rejected_by", job);
        return new DeadLetter(fields);
    }

    /** Value of the dead letter, cut so that it and the key are within the limit. */
    byte[] fitted(byte[] key, int limit) throws IOException {
        boundTime();
        listHeaders();
        byte[] value = JSON.writeValueAsBytes(fields);
        if (value.length + length(key) <= limit) {
            return value;
        }
        isCut = true;
        cut(length(recordKey(key)), limit);
        return JSON.writeValueAsBytes(fields);
    }

    /** Key that the dead letter is written with. */
    byte[] recordKey(byte[] key) {
        return isCut && key != null && key.length > KEY_BYTES ? Arrays.copyOf(key, KEY_BYTES) : key;
    }

    private void boundTime() {
        long time = fields.path("event_time").longValue();
        long bounded = Math.max(0, Math.min(time, END_OF_TIME_MS));
        if (bounded != time) {
            fields.put("event_time", bounded);
            fields.put("source_time", time);
        }
    }

    private void listHeaders() throws IOException {
        if (!(fields.get("source_headers") instanceof ObjectNode headers)
                || !(headers.get(WholeHeaders.NAME) instanceof JsonNode packed)
                || packed.isNull()) {
            return;
        }
        ArrayNode list = WholeHeaders.unpacked(packed.binaryValue(), JSON.createArrayNode());
        if (list == null) {
            return;
        }
        headers.remove(WholeHeaders.NAME);
        for (JsonNode header : list) {
            if (header.get("name").textValue().equals(WholeHeaders.NAME)) {
                headers.set(WholeHeaders.NAME, header.get("value")); // a producer's own
            }
        }
        fields.set("header_list", list);
    }

    private void cut(int keyBytes, int limit) throws IOException {
        byte[] key = binary("source_key");
        byte[] payload = binary("payload");
        ObjectNode whole = fields.putObject("cut");
        whole.put("key_bytes", key == null ? null : key.length);
        whole.put("payload_bytes", payload == null ? null : payload.length);
        whole.put("payload_sha256", payload == null ? null : sha256(payload));
        whole.put("headers", cutHeaders());
        fields.put("source_key", recordKey(key));
        String reason = fields.path("reason").asText();
        if (reason.length() > REASON_CHARACTERS) {
            fields.put("reason", reason.substring(0, REASON_CHARACTERS) + "…");
        }
        fields.put("payload", payload == null ? null : new byte[0]);
        int left = limit - keyBytes - JSON.writeValueAsBytes(fields).length;
        if (payload != null) {
            fields.put("payload", Arrays.copyOf(payload, Math.min(payload.length, Math.max(0, left / 4 * 3))));
        }
    }

    /** Cuts the headers to the first ones that fit; returns the number that the record has. */
    private int cutHeaders() throws IOException {
        ObjectNode named = (ObjectNode) fields.get("source_headers");
        ArrayNode list = fields.get("header_list") instanceof ArrayNode listed ? listed : null;
        int number = list == null ? named.size() : list.size();
        int left = HEADER_BYTES;
        ObjectNode keptNames = JSON.createObjectNode();
        ArrayNode keptList = JSON.createArrayNode();
        if (list == null) {
            for (Map.Entry<String, JsonNode> header : named.properties()) {
                left -= size(header.getKey(), header.getValue());
                if (left < 0) {
                    break;
                }
                keptNames.set(header.getKey(), header.getValue());
            }
        } else {
            for (JsonNode header : list) {
                left -= size(header.get("name").textValue(), header.get("value"));
                if (left < 0) {
                    break;
                }
                keptList.add(header);
                keptNames.set(header.get("name").textValue(), header.get("value"));
            }
            fields.set("header_list", keptList);
        }
        fields.set("source_headers", keptNames);
        return number;
    }

    private static int size(String name, JsonNode value) throws IOException {
        return HEADER_OVERHEAD + name.getBytes(StandardCharsets.UTF_8).length + length(value.binaryValue());
    }

    /** Bytes of a field that is encoded as base64. */
    private byte[] binary(String field) {
        JsonNode node = fields.path(field);
        if (node.isBinary()) {
            try {
                return node.binaryValue();
            } catch (IOException impossible) {
                throw new IllegalStateException(impossible);
            }
        }
        return node.isTextual() ? Base64.getDecoder().decode(node.textValue()) : null;
    }

    private static int length(byte[] bytes) {
        return bytes == null ? 0 : bytes.length;
    }

    private static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException(impossible);
        }
    }
}
