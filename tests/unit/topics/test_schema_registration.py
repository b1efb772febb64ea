"""Rule of a registry's subject when its schema can't be registered."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path

import pytest

from connectors.kafka.registry import RULE, RegistryError
from connectors.kafka.topics import PAYMENTS
from connectors.settings import Settings
from ops.topics.schemas import SchemasRefusedError, register
from tests.services.json_server import json_server

TOPIC = replace(PAYMENTS, name="things")
OWN_RULES = [None, "NONE"]


@dataclass
class Registry:
    """A registry without schemas, which answers each new one with an error."""

    rule: str | None = None
    """Compatibility rule of the subject itself."""
    refusal: HTTPStatus = HTTPStatus.CONFLICT
    rules: list[str | None] = field(default_factory=list)
    """Rules that were set since the start; None where the rule was deleted."""
    is_frozen: bool = False
    """Whether only the first change of a rule succeeds."""
    settings: Settings = field(default_factory=Settings)

    def answer(self, request: str, body: bytes) -> tuple[int, object]:
        match request:
            case "GET /config/things-value" if self.rule:
                return HTTPStatus.OK, {"compatibilityLevel": self.rule}
            case "PUT /config/things-value" | "DELETE /config/things-value":
                if self.is_frozen and self.rules:
                    return HTTPStatus.INTERNAL_SERVER_ERROR, {"error_code": 50001, "message": "storage"}
                self.rule = json.loads(body)["compatibility"] if body else None
                self.rules.append(self.rule)
                return HTTPStatus.OK, {}
            case "POST /subjects/things-value/versions":
                return self.refusal, {"error_code": self.refusal, "message": "no"}
        return HTTPStatus.NOT_FOUND, {"error_code": 40401, "message": "not found"}


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A registry that refuses the schema as incompatible, unless the test sets another answer."""
    found = Registry()
    with json_server(found.answer) as address:
        found.settings = Settings(schema_registry_url=address)
        yield found


@pytest.mark.parametrize("rule", OWN_RULES)
def test_refused_schema_leaves_the_rule_unchanged(registry: Registry, rule: str | None, tmp_path: Path) -> None:
    registry.rule = rule

    with pytest.raises(SchemasRefusedError, match="things-value: no"):
        register(registry.settings, [TOPIC], tmp_path)

    assert registry.rules == [RULE, rule]


@pytest.mark.parametrize("rule", OWN_RULES)
@pytest.mark.parametrize("refusal", [HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.INTERNAL_SERVER_ERROR])
def test_error_of_the_registry_leaves_the_rule_unchanged(
    registry: Registry, refusal: HTTPStatus, rule: str | None, tmp_path: Path
) -> None:
    registry.rule, registry.refusal = rule, refusal

    with pytest.raises(RegistryError, match=rf"\({refusal}\): no$"):
        register(registry.settings, [TOPIC], tmp_path)

    assert registry.rules == [RULE, rule]


@pytest.mark.parametrize(
    ("rule", "to_do"), [(None, "DELETE /config/things-value"), ("NONE", "PUT NONE to /config/things-value")]
)
def test_rule_that_can_not_be_restored_is_reported(
    registry: Registry, rule: str | None, to_do: str, tmp_path: Path
) -> None:
    registry.rule, registry.is_frozen = rule, True

    with pytest.raises(RegistryError, match=rf"^no\nits earlier rule could not be restored: {to_do}$"):
        register(registry.settings, [TOPIC], tmp_path)
