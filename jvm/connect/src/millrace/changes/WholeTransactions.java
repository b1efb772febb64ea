package millrace.changes;

import org.apache.kafka.connect.connector.Task;

import io.debezium.connector.postgresql.PostgresConnector;

/** Debezium's connector for PostgreSQL, with a task that emits whole transactions. */
public final class WholeTransactions extends PostgresConnector {

    @Override
    public Class<? extends Task> taskClass() {
        return WholeTransactionsTask.class;
    }
}
