"""Registers and releases the events' schemas, and stops changes that break readers before that."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import events
from connectors.kafka.registry import RULE, OtherFormatError, RegistryError, SchemaRefusedError, SchemaRegistry
from connectors.kafka.topics import TOPICS, Topic
from connectors.settings import Settings
from events.compatibility import incompatibilities
from events.schemas import schema, schema_text

RELEASED = Path(events.__file__).parent / "released"
"""Folder of the released schemas: `<subject>/<version>.json`, with the same versions as in the registry."""


@dataclass(frozen=True)
class Verdict:
    """Comparison of one subject's schema with the earlier ones."""

    subject: str
    state: Literal["new", "unchanged", "unguarded", "compatible", "incompatible"]
    reasons: tuple[str, ...] = ()
    """If incompatible: which version's records can't be read any more, where and why. If unguarded: its rule."""


@dataclass(frozen=True)
class Registration:
    """Result of registering one subject's schema."""

    subject: str
    version: int | None
    """Version in the registry; None if the schema was refused."""
    outcome: Literal["new", "unchanged", "refused"]
    reasons: tuple[str, ...] = ()


class SchemasRefusedError(RuntimeError):
    """At least one schema would break readers; the message names them and gives the reasons."""

    def __init__(self, rows: Sequence[Verdict] | Sequence[Registration]) -> None:
        super().__init__(reasons_text(rows))
        self.registrations = [row for row in rows if isinstance(row, Registration)]
        """Result for every subject, accepted ones too; empty if nothing was sent to the registry."""


def released(topic: Topic, folder: Path = RELEASED) -> dict[int, dict[str, Any]]:
    """Return the topic's released schemas by version, oldest first."""
    files = sorted((folder / topic.subject).glob("*.json"), key=lambda file: int(file.stem))
    return {int(file.stem): json.loads(file.read_text("utf-8")) for file in files}


def check(topics: Iterable[Topic] = TOPICS, folder: Path = RELEASED) -> list[Verdict]:
    """Compare each topic's schema with all its released ones, without the registry."""
    return [_verdict(topic.subject, schema(topic.event), released(topic, folder)) for topic in topics]


def check_registry(settings: Settings, topics: Iterable[Topic] = TOPICS) -> list[Verdict]:
    """Compare each topic's schema with those in the registry, and ask whether the registry would accept it."""
    registry = SchemaRegistry(settings.schema_registry_url)
    return [_registry_verdict(registry, topic.subject, schema(topic.event)) for topic in topics]


def release(topics: Iterable[Topic] = TOPICS, folder: Path = RELEASED) -> list[Path]:
    """Write the next version of every schema that changed; return the new files.

    Raises:
        SchemasRefusedError: a change would break readers; nothing was written.
    """
    topics = tuple(topics)
    verdicts = check(topics, folder)
    if any(verdict.reasons for verdict in verdicts):
        raise SchemasRefusedError(verdicts)
    changed = [topic for topic, verdict in zip(topics, verdicts, strict=True) if verdict.state != "unchanged"]
    return [_write_next_version(topic, folder) for topic in changed]


def register(settings: Settings, topics: Iterable[Topic] = TOPICS, folder: Path = RELEASED) -> list[Registration]:
    """Register each topic's schema under `<topic>-value`, with the rule BACKWARD_TRANSITIVE.

    An empty registry gets the released versions first, so that versions mean the same everywhere and no released
    version can be broken.

    Raises:
        SchemasRefusedError: some were refused; all others are registered.
    """
    registry = SchemaRegistry(settings.schema_registry_url)
    registrations = [_register(registry, topic, folder) for topic in topics]
    if any(registration.reasons for registration in registrations):
        raise SchemasRefusedError(registrations)
    return registrations


def _verdict(subject: str, document: dict[str, Any], earlier: dict[int, dict[str, Any]]) -> Verdict:
    if not earlier:
        return Verdict(subject, "new")
    if reasons := _reasons(document, earlier):
        return Verdict(subject, "incompatible", reasons)
    return Verdict(subject, "unchanged" if document in earlier.values() else "compatible")


def _registry_verdict(registry: SchemaRegistry, subject: str, document: dict[str, Any]) -> Verdict:
    try:
        verdict = _verdict(subject, document, registry.schemas(subject))
    except OtherFormatError as error:
        return Verdict(subject, "incompatible", (str(error),))
    if verdict.state == "compatible" and not registry.accepts(subject, document):
        return Verdict(subject, "incompatible", ("the registry would refuse it, but gives no reason",))
    if verdict.state == "unchanged" and (rule := registry.rule(subject)) != RULE:
        return Verdict(
            subject,
            "unguarded",
            (f"its rule is {rule}, so others may register what breaks readers: PUT {RULE} to /config/{subject}",),
        )
    return verdict


def _reasons(document: dict[str, Any], earlier: dict[int, dict[str, Any]]) -> tuple[str, ...]:
    return tuple(
        f"version {version}: {reason}"
        for version, released_schema in earlier.items()
        for reason in _incompatibilities(released_schema, document)
    )


def _incompatibilities(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    try:
        return incompatibilities(old, new)
    except (AttributeError, LookupError, TypeError):
        return ["it isn't written like ours, so its compatibility can't be checked"]


def _write_next_version(topic: Topic, folder: Path) -> Path:
    file = folder / topic.subject / f"{max(released(topic, folder), default=0) + 1}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(schema_text(schema(topic.event)), "utf-8")
    return file


def _register(registry: SchemaRegistry, topic: Topic, folder: Path) -> Registration:
    subject, document = topic.subject, schema(topic.event)
    try:
        there = registry.schemas(subject)
    except OtherFormatError as error:
        return Registration(subject, None, "refused", (str(error),))
    if document in there.values():
        return Registration(subject, registry.register(subject, document).version, "unchanged")
    if reasons := _reasons(document, there):
        return Registration(subject, None, "refused", reasons)
    try:
        with _our_rule(registry, subject):
            for earlier in released(topic, folder).values():
                if earlier != document:
                    registry.register(subject, earlier)
            return Registration(subject, registry.register(subject, document).version, "new")
    except SchemaRefusedError as refusal:
        return Registration(subject, None, "refused", (str(refusal),))


@contextmanager
def _our_rule(registry: SchemaRegistry, subject: str) -> Iterator[None]:
    """Set `RULE` for the subject's next schemas; restore its earlier rule if the block fails.

    Raises:
        RegistryError: the block's own, with what to do if the earlier rule could not be restored.
    """
    rule = registry.own_rule(subject)
    try:
        registry.set_rule(subject)
        yield
    except (RegistryError, SchemaRefusedError) as error:
        try:
            _restore_rule(registry, subject, rule)
        except RegistryError:
            to_do = f"DELETE /config/{subject}" if rule is None else f"PUT {rule} to /config/{subject}"
            raise RegistryError(f"{error}\nits earlier rule could not be restored: {to_do}") from error
        raise


def _restore_rule(registry: SchemaRegistry, subject: str, rule: str | None) -> None:
    if rule is None:
        registry.forget_rule(subject)
    else:
        registry.set_rule(subject, rule)


def reasons_text(rows: Sequence[Verdict] | Sequence[Registration]) -> str:
    """Return why readers would break, a line for each reason."""
    return "\n".join(f"{row.subject}: {reason}" for row in rows for reason in row.reasons)
