package millrace.changes;

import java.util.ArrayList;
import java.util.List;

import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.source.SourceRecord;

import io.debezium.connector.postgresql.PostgresConnectorTask;

/**
 * Emits the changes of a transaction in the database together, so that they become visible in Kafka together, too.
 *
 * <p>After a crash between two changes of one transaction Debezium 3.6 continues from a position that it may mistake
 * for an earlier one: the end of a commit has the position of the next change, whichever transaction made that. It
 * would emit changes twice. After the last change of a transaction no position can be mistaken.
 *
 * <p>Debezium's records of transactions only show where each one ends; they are not emitted, nor are its heartbeats,
 * whose position is one at which it may skip changes of a transaction that was open then.
 */
public final class WholeTransactionsTask extends PostgresConnectorTask {

    /** Maximum number of changes emitted together; a larger transaction is emitted in parts: memory is finite. */
    private static final int MOST_CHANGES = 20_000;

    private final List<SourceRecord> unfinished = new ArrayList<>();

    @Override
    public List<SourceRecord> doPoll() throws InterruptedException {
        List<SourceRecord> whole = new ArrayList<>();
        for (SourceRecord record : super.doPoll()) {
            Struct value = record.value() instanceof Struct struct ? struct : null;
            if (value != null && value.schema().field("source") != null) {
                unfinished.add(record);
            }
            boolean isEnd = value != null && value.schema().field("status") != null && "END".equals(value.get("status"));
            if (isEnd || unfinished.size() >= MOST_CHANGES) {
                whole.addAll(unfinished);
                unfinished.clear();
            }
        }
        return whole;
    }

    @Override
    protected void doStop() {
        unfinished.clear(); // they are read again after a restart
        super.doStop();
    }
}
