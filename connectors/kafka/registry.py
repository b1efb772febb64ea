"""Client of a schema registry with Confluent's API, such as Apicurio and Confluent's own registry."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from connectors import rest

TIMEOUT_SECONDS = 10
RULE = "BACKWARD_TRANSITIVE"
"""Compatibility rule: a reader with the newest schema can read the records of every earlier one."""


class RegistryError(RuntimeError):
    """The registry can't be reached or doesn't answer as it should; the text says what to do."""


class SchemaRefusedError(RuntimeError):
    """The registry has a schema of the subject that is incompatible with the one sent; the text is the registry's."""


class OtherFormatError(RuntimeError):
    """The registry has another format than JSON Schema for the subject; the text says which."""


@dataclass(frozen=True)
class Registered:
    """Result of registering a schema."""

    version: int
    is_new: bool
    """False if the subject had this very schema already."""


class SchemaRegistry:
    """One registry, at the URL of its API."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._session = rest.session(url)

    def set_rule(self, subject: str, rule: str = RULE) -> None:
        """Set the compatibility rule for the subject's next schemas; the subject needn't exist yet."""
        self._answer("PUT", f"/config/{subject}", {"compatibility": rule})

    def forget_rule(self, subject: str) -> None:
        """Apply the registry's own rule to the subject's next schemas again; the subject needn't have another one."""
        self._find("DELETE", f"/config/{subject}")

    def own_rule(self, subject: str) -> str | None:
        """Return the rule that was set for the subject; None if the registry's own rule applies."""
        found = self._find("GET", f"/config/{subject}")
        return None if found is None else str(found["compatibilityLevel"])

    def rule(self, subject: str) -> str:
        """Return the rule that applies to the subject's next schema."""
        return self.own_rule(subject) or str(self._answer("GET", "/config")["compatibilityLevel"])

    def schemas(self, subject: str) -> dict[int, dict[str, Any]]:
        """Return every schema of the subject by its version, oldest first; none if the subject is unknown.

        Raises:
            OtherFormatError: they aren't all JSON Schemas.
        """
        versions = self._find("GET", f"/subjects/{subject}/versions") or []
        found = {version: self._answer("GET", f"/subjects/{subject}/versions/{version}") for version in versions}
        return {version: _document(version, answer) for version, answer in found.items()}

    def accepts(self, subject: str, schema: Mapping[str, Any]) -> bool:
        """Return whether `register` would accept the schema; registers nothing."""
        found = self._find("POST", f"/compatibility/subjects/{subject}/versions", _body(schema))
        return found is None or bool(found["is_compatible"])

    def register(self, subject: str, schema: Mapping[str, Any]) -> Registered:
        """Register the schema as a version of the subject, unless it is one already.

        Raises:
            SchemaRefusedError: it breaks the subject's rule.
        """
        if known := self._find("POST", f"/subjects/{subject}", _body(schema)):
            return Registered(known["version"], is_new=False)
        self._answer("POST", f"/subjects/{subject}/versions", _body(schema))
        return Registered(self._answer("POST", f"/subjects/{subject}", _body(schema))["version"], is_new=True)

    def _find(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any | None:
        """Return the registry's answer; None if it doesn't have the subject or the schema."""
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
        """Return the content of an answer, after checking that it comes from a registry and reports success."""
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
    # The API leaves out the type if it is Avro.
    if (format_ := answer.get("schemaType", "AVRO")) != "JSON":
        raise OtherFormatError(
            f"version {version} is {format_}, no JSON Schema, so records under it are no events; use another registry, "
            "or delete the subject if it isn't needed"
        )
    document = json.loads(answer["schema"])
    if not isinstance(document, dict):
        raise OtherFormatError(f"version {version} is the JSON Schema {answer['schema']}, which has no fields")
    return document


def _body(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"schemaType": "JSON", "schema": json.dumps(schema)}
