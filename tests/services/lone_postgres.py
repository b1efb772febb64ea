"""The stack's PostgreSQL server alone, for tests that need no more."""

from contextlib import AbstractContextManager

from local.stack.supervisor import Stack
from tests.services.lone_service import lone_service


def lone_postgres() -> AbstractContextManager[Stack]:
    """Run a server with both databases while the block runs."""
    return lone_service(
        "postgres",
        {
            "MILLRACE_SHOP_DATABASE_URL": "postgresql://127.0.0.1:{port}/shop",
            "MILLRACE_WAREHOUSE_URL": "postgresql://127.0.0.1:{port}/warehouse",
        },
    )
