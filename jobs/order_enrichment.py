"""Orders → with the customer and the products as of their event time → enriched orders.

orders ─┬─▶ part 0 ────────▶ join_versions, with the customer ─┬─▶ gather_parts ─▶ enriched-orders   (exactly once)
        └─▶ a part a line ─▶ join_versions, with its product ──┘
db-changes.* ──────────────▶ (its versions; its heartbeats show capture progress)
    └── records that don't decode, orders whose lines can't be used ──▶ dead-letters
"""

from pyflink.table import StatementSet, StreamTableEnvironment

import sql
from connectors.kafka.topics import limit_variables
from connectors.settings import Settings
from jobs.environment import create_tables, insert, stream_environment, variables

JOB = "order_enrichment"

SOURCES = ("orders", "db_changes_customers", "db_changes_products", "db_changes_heartbeats", "clock")
SINKS = ("enriched_orders_out", "dead_letters_out")

FUNCTIONS = {
    "field_of_each": "millrace.rows.FieldOfEach",
    "gather_parts": "millrace.parts.GatherParts",
    "join_versions": "millrace.versions.JoinVersions",
}

VIEWS = (
    "checked_orders",
    "placed_orders",
    "customer_changes",
    "placed_headers",
    "order_headers",
    "product_changes",
    "placed_lines",
    "order_lines",
    "order_parts",
    "gathered_orders",
    "marked_orders",
)

JOINED = ("order_headers", "order_lines")
"""Views that call `join_versions`."""

REJECTING = ("checked_orders", "db_changes_customers", "db_changes_products", "db_changes_heartbeats")
"""Tables and views that have a column `error`."""

HOURS_OF_GRACE = 24
"""How long an order is kept after the last moment at which its missing data may be found."""


def define(tables: StreamTableEnvironment, settings: Settings) -> StatementSet:
    """Define the topology, from `SOURCES` to `SINKS`, which `tables` must have."""
    for name, java_class in FUNCTIONS.items():
        tables.execute_sql(f"CREATE TEMPORARY SYSTEM FUNCTION {name} AS '{java_class}' LANGUAGE JAVA")
    remembered_hours = int(settings.missing_data_hours) + HOURS_OF_GRACE
    filled = settings.as_variables() | limit_variables() | {"REMEMBERED_HOURS": str(remembered_hours)}
    for view in VIEWS:
        text = sql.read(f"views/order_enrichment/{view}.sql", filled)
        if view in JOINED:
            # Flink rewrites a view's text, and can't read its own text of a function with two tables.
            query = text.partition(f"CREATE TEMPORARY VIEW {view} AS\n")[2]
            tables.create_temporary_view(view, tables.sql_query(query))
        else:
            tables.execute_sql(text)
    for table in REJECTING:
        tables.execute_sql(sql.read("views/dead_letters_of.sql", {"TABLE": table, "JOB": JOB}))

    letters = "\nUNION ALL\n".join(f"SELECT * FROM dead_letters_of_{table}" for table in REJECTING)
    statements = tables.create_statement_set()
    statements.add_insert_sql(insert(tables, "enriched_orders_out", "marked_orders"))
    statements.add_insert_sql(insert(tables, "dead_letters_out", f"({letters})"))
    return statements


def main() -> None:
    """Wire the topology to Kafka, and run it."""
    settings = Settings.from_environment()
    environment = stream_environment(JOB)
    tables = StreamTableEnvironment.create(environment)
    create_tables(tables, (*SOURCES, *SINKS), variables(JOB, settings))
    define(tables, settings).attach_as_datastream()
    environment.execute(JOB)


if __name__ == "__main__":
    main()
