"""Events → the star schema in PostgreSQL; the only state is the offsets of each topic.

db-changes.customers ─▶ dim_customer      payments ───────────▶ fact_payment
db-changes.products ──▶ dim_product       fraud-alerts ───────▶ fact_alert
enriched-orders ─┬────▶ fact_order        revenue-per-minute ─▶ revenue_per_minute
                 └────▶ fact_order_line
of every topic, what doesn't decode and what PostgreSQL couldn't take ─▶ dead-letters
"""

from pyflink.table import StatementSet, StreamTableEnvironment

import sql
from connectors.kafka.topics import limit_variables
from connectors.settings import Settings
from jobs.environment import create_tables, insert, stream_environment, variables

JOB = "warehouse"

SOURCES = (
    "db_changes_customers",
    "db_changes_products",
    "enriched_orders",
    "payments",
    "fraud_alerts",
    "revenue_per_minute",
)
DEAD_LETTERS = "dead_letters_out"
TARGETS = (
    "dim_customer",
    "dim_product",
    "fact_order",
    "fact_order_line",
    "fact_payment",
    "fact_alert",
    "revenue_per_minute",
)
SINKS = tuple(f"warehouse_{target}" for target in TARGETS)

_CHECKED = (
    "db_changes_customers",
    "db_changes_products",
    "enriched_orders",
    "payments",
    "alerts_with_features",
    "revenue_minutes",
)
_LIMITS = limit_variables()


def define(tables: StreamTableEnvironment) -> StatementSet:
    """Define the topology, from the tables `SOURCES` to `SINKS` and `DEAD_LETTERS`."""
    for view in ("alerts_with_features", "revenue_minutes"):
        tables.execute_sql(sql.read(f"views/warehouse/{view}.sql", _LIMITS))
    for table in _CHECKED:
        for view in ("checked", "bad_records_of"):
            tables.execute_sql(sql.read(f"views/warehouse/{view}.sql", _LIMITS | {"TABLE": table}))
        tables.execute_sql(sql.read("views/dead_letters_of.sql", {"TABLE": f"bad_records_of_{table}", "JOB": JOB}))
    statements = tables.create_statement_set()
    for target in TARGETS:
        tables.execute_sql(sql.read(f"views/warehouse/{target}_rows.sql", {}))
        statements.add_insert_sql(insert(tables, f"warehouse_{target}", f"{target}_rows"))
    rows = "\nUNION ALL\n".join(f"SELECT * FROM dead_letters_of_bad_records_of_{table}" for table in _CHECKED)
    statements.add_insert_sql(insert(tables, DEAD_LETTERS, f"({rows})"))
    return statements


def main() -> None:
    """Wire the topology to Kafka and PostgreSQL, and run it."""
    settings = Settings.from_environment()
    environment = stream_environment(JOB)
    tables = StreamTableEnvironment.create(environment)
    filled = variables(JOB, settings)
    create_tables(tables, (*SOURCES, DEAD_LETTERS, *SINKS), filled)
    define(tables).attach_as_datastream()
    environment.execute(JOB)


if __name__ == "__main__":
    main()
