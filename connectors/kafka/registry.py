"""How is a schema registry spoken to? Confluent's API, as Apicurio and Confluent's own registry answer it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from connectors import rest

TIMEOUT_SECONDS = 10
RULE = "BACKWARD_TRANSITIVE"
"""A reader with the newest schema can read the records of every earlier one."""


class RegistryError(RuntimeError):
    """The registry can't be reached or doesn't answer as it should; the text says what to do."""


class SchemaRefusedError(RuntimeError):
    """The registry holds a schema of the subject that is incompatible with the one sent; the text is its own."""


class OtherFormatError(RuntimeError):
    """The registry holds something else than JSON Schemas for the subject; the text says what."""


@dataclass(frozen=True)
class Registered:
    """A schema's place in the registry."""

    version: int
    is_new: bool
    """False if the subject had this very schema already."""


class SchemaRegistry:
    """One registry, at the URL of its API."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._session = rest.session(url)

    def set_rule(self, subject: str, rule: str = RULE) -> None:
        """Judge the subject's next schemas by a rule; the subject needn't exist yet."""
        self._answer("PUT", f"/config/{subject}", {"compatibility": rule})

    def forget_rule(self, subject: str) -> None:
        """Judge the subject's next schemas by the registry's own rule again; the subject needn't have another one."""
        self._find("DELETE", f"/config/{subject}")

    def own_rule(self, subject: str) -> str | None:
        """The rule that was set for the subject; None if the registry's own holds for it."""
        found = self._find("GET", f"/config/{subject}")
        return None if found is None else str(found["compatibilityLevel"])

    def rule(self, subject: str) -> str:
        """The rule by which the subject's next schema is judged."""
        return self.own_rule(subject) or str(self._answer("GET", "/config")["compatibilityLevel"])

    def schemas(self, subject: str) -> dict[int, dict[str, Any]]:
        """Every schema of the subject by its version, oldest first; none if the subject is unknown.

        Raises:
            OtherFormatError: they aren't all JSON Schemas.
        """
        versions = self._find("GET", f"/subjects/{subject}/versions") or []
        found = {version: self._answer("GET", f"/subjects/{subject}/versions/{version}") for version in versions}
        return {version: _document(version, answer) for version, answer in found.items()}

    def accepts(self, subject: str, schema: Mapping[str, Any]) -> bool:
        """Whether `register` would take the schema; nothing is registered."""
        found = self._find("POST", f"/compatibility/subjects/{subject}/versions", _body(schema))
        return found is None or bool(found["is_compatible"])

    def register(self, subject: str, schema: Mapping[str, Any]) -> Registered:
        """Make it a version of the subject, unless it is one already.

        Raises:
            SchemaRefusedError: it breaks the subject's rule.
        """
        if known := self._find("POST", f"/subjects/{subject}", _body(schema)):
            return Registered(known["version"], is_new=False)
        self._answer("POST", f"/subjects/{subject}/versions", _body(schema))
        return Registered(self._answer("POST", f"/subjects/{subject}", _body(schema))["version"], is_new=True)

    def _find(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any | None:
        """The registry's answer; None if it doesn't have the subject or the schema."""
        response = self._send(method, path, body)
        if response.status_code == requests.codes.not_found and "error_code" in response.text:
            return None
        return self._checked(response)

    def _answer(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return self._checked(self._send(method, path, body))

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> requests.Response:
        try:
            return self._session.request(method, self._url + path, json=body, timeout=TIMEOUT_SECONDS)
        except requests.RequestException as error:
            raise RegistryError(
                f"the schema registry at {self._url} doesn't answer ({type(error).__name__}): "
                "start it (`make up`), or set MILLRACE_SCHEMA_REGISTRY_URL to where it is"
            ) from error

    def _checked(self, response: requests.Response) -> Any:
        """What the registry answered, if it is a registry and does what it was asked."""
        try:
            answer = response.json()
            refusal = None if response.ok else str(answer["message"])
        except (requests.JSONDecodeError, KeyError, TypeError):
            raise RegistryError(
                f"{response.request.method} {response.url} was answered with {response.status_code}: "
                f"{response.text[:300]}\nMILLRACE_SCHEMA_REGISTRY_URL must name the root of Confluent's API"
            ) from None
        if response.status_code == requests.codes.conflict:
            raise SchemaRefusedError(refusal)
        if refusal is not None:
            raise RegistryError(
                f"the schema registry at {self._url} refuses {response.request.method} {response.request.path_url} "
                f"({response.status_code}): {refusal[:300]}"
            )
        return answer


def _document(version: int, answer: Mapping[str, Any]) -> dict[str, Any]:
    # Avro is what the API leaves unsaid.
    if (format_ := answer.get("schemaType", "AVRO")) != "JSON":
        raise OtherFormatError(
            f"version {version} is {format_}, no JSON Schema, so records under it are no events; use another registry, "
            "or delete the subject if nobody needs it"
        )
    document = json.loads(answer["schema"])
    if not isinstance(document, dict):
        raise OtherFormatError(f"version {version} is the JSON Schema {answer['schema']}, which has no fields")
    return document


def _body(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"schemaType": "JSON", "schema": json.dumps(schema)}
