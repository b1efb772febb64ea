"""Resolves jars with their run-time dependencies in the Maven repository."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import requests
from jgo.maven import Dependency, MavenContext, PythonResolver

from connectors.settings import Settings, with_escaped_login, without_login
from toolchain.pinned_jars import Coordinate


class ResolveError(RuntimeError):
    """The declared jars don't resolve to a consistent set."""


def repository() -> str:
    """Return the base URL: `MILLRACE_MAVEN_REPOSITORY`, otherwise the default of jgo."""
    base = Settings.from_environment().maven_repository or MavenContext().remote_repos["central"]
    return with_escaped_login(base).rstrip("/")


def resolve(roots: Iterable[Coordinate]) -> list[Coordinate]:
    """Return the roots and everything that they need at run time, roots first, then by name.

    Raises:
        ResolveError: a jar of a root's group was resolved to another version than the root (jgo's choice of versions
            is not always Maven's): make that jar a root too. Or the repository can't be queried.
    """
    roots = list(roots)
    with TemporaryDirectory() as folder:
        context = _context(Path(folder))
        with _without_login():
            _, found = context.resolver.resolve([_dependency(context, root) for root in roots])
        needed = {Coordinate(d.groupId, d.artifactId, d.version, d.type, d.classifier) for d in found}
    versions = {root.group: root.version for root in roots}
    if odd := [str(c) for c in needed if c.version != versions.get(c.group, c.version)]:
        raise ResolveError(f"not of the same release as the roots of their group: {', '.join(sorted(odd))}")
    return roots + sorted(needed - set(roots), key=str)


def sha256_and_size(coordinate: Coordinate) -> tuple[str, int]:
    """Download a file without keeping it, and measure it (jgo compares it with the repository's own SHA-1).

    Raises:
        ResolveError: it can't be downloaded.
    """
    with TemporaryDirectory() as folder, _without_login():
        file = _dependency(_context(Path(folder)), coordinate).artifact.resolve()
        return hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_size


@contextmanager
def _without_login() -> Iterator[None]:
    """Wrap requests of jgo, whose errors quote the repository's URL or a part of it.

    Raises:
        ResolveError: a request failed.
    """
    try:
        yield
    except requests.RequestException as error:
        raise ResolveError(f"{without_login(repository())} could not be asked: {type(error).__name__}") from None
    except RuntimeError as error:
        raise ResolveError(without_login(str(error))) from None


def _context(local_copy: Path) -> MavenContext:
    return MavenContext(
        resolver=PythonResolver(), repo_cache=local_copy, remote_repos={"central": repository()}, timeout=60
    )


def _dependency(context: MavenContext, coordinate: Coordinate) -> Dependency:
    component = context.project(coordinate.group, coordinate.artifact).at_version(coordinate.version)
    # Raw: otherwise each root's dependencyManagement chooses versions for the others, unlike in Maven.
    return Dependency(component.artifact(coordinate.classifier, coordinate.extension), raw=True)
