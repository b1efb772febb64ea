package millrace.records;

import java.util.HashMap;
import java.util.Map;

import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.GenericMapData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.DataType;

/** Metadata columns, with the names and types of the Kafka connector's. */
enum Metadata {
    TOPIC("topic", DataTypes.STRING().notNull()) {
        @Override
        Object of(String topic, Record record) {
            return StringData.fromString(topic);
        }
    },
    PARTITION("partition", DataTypes.INT().notNull()) {
        @Override
        Object of(String topic, Record record) {
            return record.partition();
        }
    },
    OFFSET("offset", DataTypes.BIGINT().notNull()) {
        @Override
        Object of(String topic, Record record) {
            return record.offset();
        }
    },
    TIMESTAMP("timestamp", DataTypes.TIMESTAMP_LTZ(3).notNull()) {
        @Override
        Object of(String topic, Record record) {
            return TimestampData.fromEpochMillis(record.timestamp());
        }
    },
    TIMESTAMP_TYPE("timestamp-type", DataTypes.STRING().notNull()) {
        @Override
        Object of(String topic, Record record) {
            return StringData.fromString("CreateTime");
        }
    },
    HEADERS("headers", DataTypes.MAP(DataTypes.STRING().notNull(), DataTypes.BYTES()).notNull()) {
        @Override
        Object of(String topic, Record record) {
            Map<StringData, byte[]> headers = new HashMap<>();
            record.headers().forEach((name, value) -> headers.put(StringData.fromString(name), value));
            return new GenericMapData(headers);
        }
    };

    final String key;
    final DataType type;

    Metadata(String key, DataType type) {
        this.key = key;
        this.type = type;
    }

    abstract Object of(String topic, Record record);
}
