"""Prepares what the jobs and the services need before orders and payments flow."""

from connectors.elasticsearch.client import client, explained
from connectors.settings import Settings
from local.demo.saying import say
from local.demo.services import Services
from local.simulator.shop.database import make_tables
from ops.capture import apply as change_capture
from ops.rules import rulesets
from ops.search import apply as search
from ops.search.indices import declared
from ops.topics import apply as topics
from ops.topics import schemas
from ops.warehouse import database as warehouse
from udfs.fraud import ruleset_files


def prepare_for_jobs(settings: Settings) -> None:
    """Create what the jobs read and write."""
    say(f"topics: {len(topics.apply(settings))} created")
    say(f"schemas: {len(schemas.register(settings))} registered")
    ruleset = rulesets.publish(settings, ruleset_files.parse(ruleset_files.default_text()), "demo")
    say(f"rules: version {ruleset.version} published, {len(ruleset.rules)} rules")
    say(f"warehouse: {len(warehouse.migrate(settings))} migrations applied")
    with explained(settings), client(settings) as elasticsearch:
        made = [step.detail for step in search.apply(elasticsearch, declared()) if step.what == "create index"]
    say(f"search index: {'; '.join(made)}")


def prepare_shop(settings: Settings, services: Services) -> None:
    """Create the shop's customers and products, and set up the capture of their changes."""
    rows = make_tables(settings, services.customers)
    say(f"shop: {', '.join(f'{count:,} rows in {name}' for name, count in rows.items())}")
    change_capture.apply(settings, lambda text: say(f"capture: {text}"))
