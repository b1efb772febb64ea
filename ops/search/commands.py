"""Commands `search`."""

import json
import time
from collections.abc import Sequence
from typing import Any

import click
from elasticsearch import Elasticsearch

from connectors.elasticsearch.client import client, explained
from connectors.settings import Settings
from ops.cli import CommandGroup, ask_before_changing
from ops.formats import table
from ops.masking import shown
from ops.search.apply import apply, blocked_steps, faults, plan
from ops.search.find import Asked, Document, Found, alerts_by_rule, find
from ops.search.indices import Declared, RealIndex, declared, figures, look
from ops.search.rebuild import rebuild, replaceable


@click.group("search", cls=CommandGroup)
def search() -> None:
    """Apply, check, rebuild and query the search index."""


@search.command("apply")
@click.option("--yes", is_flag=True, help="Carry out the plan without asking.")
def search_apply(yes: bool) -> None:
    """Create templates, indices and aliases, and add new fields.

    Shows a plan and asks before it changes anything. Refuses changes for which documents must be indexed again.
    """
    settings = Settings.from_environment()
    with explained(settings), client(settings) as elasticsearch:
        steps = [step for wanted in declared() for step in plan(wanted, look(elasticsearch, wanted))]
        click.echo(table(("alias", "step", "what"), [(step.index.alias, step.what, step.detail) for step in steps]))
        if blocked := blocked_steps(steps):
            raise click.ClickException("nothing was changed\n" + "\n".join(blocked))
        if all(step.what == "nothing" for step in steps):
            return
        ask_before_changing(yes)
        done = apply(elasticsearch, declared())
        wrong = [fault for wanted in declared() for fault in faults(wanted, look(elasticsearch, wanted))]
    if wrong:
        raise click.ClickException("all steps are done, but not all indices are as declared\n" + "\n".join(wrong))
    click.echo(f"done: {len(done)} {'step' if len(done) == 1 else 'steps'}")


@search.command("status")
def search_status() -> None:
    """Show each alias with its index, and differences to the files.

    Exit status 1 if something is wrong or missing.
    """
    settings = Settings.from_environment()
    wrong: list[str] = []
    rows: list[tuple[object, ...]] = []
    with explained(settings), client(settings) as elasticsearch:
        for wanted in declared():
            real = look(elasticsearch, wanted)
            wrong += faults(wanted, real)
            rows += [_row(elasticsearch, wanted, index) for index in (*real.behind, *real.others)]
    click.echo(settings.elasticsearch_url)
    if rows:
        click.echo(table(("alias", "index", "mapping", "documents", "size", "topic"), rows))
    if wrong:
        raise click.ClickException("\n".join(wrong))
    click.echo("every index is as declared")


def _row(elasticsearch: Elasticsearch, wanted: Declared, index: RealIndex) -> tuple[object, ...]:
    documents = elasticsearch.count(index=index.name)["count"]
    size = figures(elasticsearch, index.name, "store").get("size_in_bytes", 0)
    mapping = f"{index.version} of {wanted.version}"
    alias = ", ".join(sorted(index.aliases)) or "none"
    return alias, index.name, mapping, f"{documents:,}", f"{size / 1_000_000:.1f} MB", wanted.index.topic.name


@search.command("rebuild")
@click.argument("alias", type=click.Choice([each.alias for each in declared()]))
@click.option("--yes", is_flag=True, help="Carry out the plan without asking.")
@click.option("--allow-data-loss", is_flag=True, help="Drop documents whose records the topic no longer has.")
def search_rebuild(alias: str, yes: bool, allow_data_loss: bool) -> None:
    """Fill a new index from the topic and switch the alias to it.

    Jobs and readers continue meanwhile. If it is interrupted, the alias stays as it was, or the next call continues.
    """
    settings = Settings.from_environment()
    [wanted] = [each for each in declared() if each.alias == alias]
    with explained(settings), client(settings) as elasticsearch:
        old = replaceable(elasticsearch, wanted)
        documents = elasticsearch.count(index=old.name)["count"]
        click.echo(
            f"{alias}: {old.name} (mapping version {old.version}, {documents:,} documents) is replaced by a new "
            f"index with mapping version {wanted.version}, filled from {wanted.index.topic.name}"
        )
    ask_before_changing(yes)
    began = time.monotonic()
    outcome = rebuild(settings, wanted, click.echo, allow_data_loss=allow_data_loss)
    for each in outcome.named:
        click.echo(f"bad record: {each}")
    if outcome.bad:
        click.echo(
            f"bad records, which have no document: {outcome.bad:,}, of which {len(outcome.named)} are named above"
        )
    click.echo(
        f"done: {alias} is {outcome.index}, from {outcome.records:,} records in {time.monotonic() - began:.0f} s"
    )


@search.command("find")
@click.argument("words", nargs=-1)
@click.option("--card", default="", metavar="ID", help="Alerts of this card.")
@click.option("--customer", default="", metavar="ID", help="Orders and alerts of this customer.")
@click.option("--order", default="", metavar="ID", help="This order.")
@click.option("--rule", default="", metavar="NAME", help="Alerts that name this rule.")
@click.option("--today", is_flag=True, help="Only those of today, in UTC.")
@click.option("--by-rule", is_flag=True, help="Count alerts by rule.")
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=20,
    show_default=True,
    help="Maximum number of documents per alias.",
)
@click.option("--json", "as_json", is_flag=True, help="Print each document as one line of JSON.")
def search_find(words: tuple[str, ...], by_rule: bool, limit: int, as_json: bool, **asked: Any) -> None:
    """Find orders and fraud alerts, the newest first.

    WORDS are a name, the words of a product or of a rule's reason, or any id. All conditions must be fulfilled.
    """
    settings = Settings.from_environment()
    looked_for = Asked(words=" ".join(words), **asked)
    with explained(settings), client(settings) as elasticsearch:
        if by_rule:
            _print_rules(alerts_by_rule(elasticsearch, looked_for, limit), as_json)
        else:
            _print_found(find(elasticsearch, looked_for, limit), as_json)


def _print_found(found: Sequence[Found], as_json: bool) -> None:
    if as_json:
        for each in found:
            for document in each.documents:
                click.echo(_json({"index": each.kind.alias, **document}))
        return
    for each in found:
        if each.documents:
            more = f", the newest {len(each.documents):,} are shown" if each.total > len(each.documents) else ""
            click.echo(f"{each.kind.alias}: {each.total:,} found{more}")
            rows = [[shown(cell(document)) for cell in each.kind.columns.values()] for document in each.documents]
            click.echo(table(list(each.kind.columns), rows))
    if not any(each.documents for each in found):
        click.echo(f"nothing found in {' and '.join(each.kind.alias for each in found)}")


def _json(document: Document) -> str:
    """Return one line of JSON in which every control and every character that isn't ASCII is escaped."""
    return json.dumps(document, separators=(",", ":")).replace("\x7f", "\\u007f")


def _print_rules(rules: Sequence[tuple[str, int, int]], as_json: bool) -> None:
    if as_json:
        for rule, alerts, cards in rules:
            click.echo(_json({"rule": rule, "alerts": alerts, "cards": cards}))
    elif rules:
        rows = [(shown(rule), f"{alerts:,}", f"{cards:,}") for rule, alerts, cards in rules]
        click.echo(table(("rule", "alerts", "cards"), rows))
    else:
        click.echo("nothing found in fraud-alerts")
