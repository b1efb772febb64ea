"""Enriched orders and fraud alerts → documents of the search index; the only state is the offsets of each topic.

enriched-orders ─┐
                 ├─▶ index_documents ─▶ Elasticsearch, by external versions
fraud-alerts ────┘  (Python, a bulk     └── what Elasticsearch refuses ──┐
    │                request a batch)                                    ├─▶ dead-letters
    └── records that don't decode ───────────────────────────────────────┘
"""

from pyflink.table import DataTypes, StatementSet, StreamTableEnvironment
from pyflink.table.udf import udf

import sql
from connectors.elasticsearch.index_documents import IndexDocuments
from connectors.settings import Settings
from jobs.environment import create_tables, insert, stream_environment, variables

JOB = "search_index"

SOURCES = ("enriched_orders", "fraud_alerts")
DEAD_LETTERS = "dead_letters_out"

BATCHES = {
    # Maximum number of documents in a bulk request; with 1,000, less than half as many per second were written.
    "python.fn-execution.arrow.batch.size": "5000",
    # Maximum number of rows sent to Python before Flink waits: while Elasticsearch takes a batch, the next are decoded.
    "python.fn-execution.bundle.size": "20000",
    # Milliseconds after which fewer rows are sent: a document is searchable within a second, as with Elasticsearch's
    # own refresh.
    "python.fn-execution.bundle.time": "500",
}


def define(tables: StreamTableEnvironment, settings: Settings) -> StatementSet:
    """Define the topology, from `SOURCES` to Elasticsearch and `DEAD_LETTERS`.

    Each topic is read once, and each record passes the function once: its result goes to one place only.
    """
    for key, value in BATCHES.items():
        tables.get_config().set(key, value)
    index_documents = udf(IndexDocuments(settings), result_type=DataTypes.STRING(), func_type="pandas")
    tables.create_temporary_system_function("index_documents", index_documents)
    for view in ("searchable_records", "indexed_records"):
        tables.execute_sql(sql.read(f"views/search_index/{view}.sql", {}))
    tables.execute_sql(sql.read("views/dead_letters_of.sql", {"TABLE": "indexed_records", "JOB": JOB}))
    statements = tables.create_statement_set()
    statements.add_insert_sql(insert(tables, DEAD_LETTERS, "dead_letters_of_indexed_records"))
    return statements


def main() -> None:
    """Wire the topology to Kafka and Elasticsearch, and run it."""
    settings = Settings.from_environment()
    environment = stream_environment(JOB)
    tables = StreamTableEnvironment.create(environment)
    create_tables(tables, (*SOURCES, DEAD_LETTERS), variables(JOB, settings))
    define(tables, settings).attach_as_datastream()
    environment.execute(JOB)


if __name__ == "__main__":
    main()
