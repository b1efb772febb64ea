"""Downloads: resumed, checked, shared."""

import hashlib
import os
import random
import re
import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.unit.toolchain.maven_server import Repository, serve
from toolchain import jars
from toolchain.cache import CacheError, cache_directory, exclusive
from toolchain.download import ATTEMPTS, CHUNK_BYTES, Download, DownloadError
from toolchain.jars import JarsError
from toolchain.maven import ResolveError, sha256_and_size
from toolchain.pinned_jars import Coordinate, Jar, jars_directory, locked

CONTENT = random.Random(1).randbytes(300_000)
COORDINATE = Coordinate.parse("org.example.streams:mill:1.2")
OTHER = Coordinate.parse("org.example.streams:race:1.2:tar.gz:all")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    files = {f"/{COORDINATE.path}": CONTENT, f"/{OTHER.path}": CONTENT[:1000]}
    with serve(Repository(files)) as served:
        monkeypatch.setenv("MILLRACE_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("MILLRACE_MAVEN_REPOSITORY", served.url)
        yield served


def pinned(coordinate: Coordinate = COORDINATE, content: bytes = CONTENT) -> Jar:
    return Jar("example", coordinate, hashlib.sha256(content).hexdigest(), len(content))


def download(repository: Repository, jar: Jar) -> Download:
    return Download(f"{repository.url}/{jar.coordinate.path}", jar.path, jar.sha256, jar.size, backoff_seconds=0.001)


def ranges(repository: Repository) -> list[str]:
    return [asked for _, asked in repository.requests]


@pytest.mark.usefixtures("repository")
def test_missing_jar_is_fetched_into_a_maven_layout() -> None:
    jars.fetch((pinned(), pinned(OTHER, CONTENT[:1000])))

    folder = cache_directory() / "jars" / "org" / "example" / "streams"
    assert (folder / "mill" / "1.2" / "mill-1.2.jar").read_bytes() == CONTENT
    assert (folder / "race" / "1.2" / "race-1.2-all.tar.gz").read_bytes() == CONTENT[:1000]
    assert not list(jars_directory().rglob("*.part"))


def test_existing_jar_is_not_fetched_again(repository: Repository) -> None:
    jars.fetch((pinned(),))

    jars.fetch((pinned(),))

    assert ranges(repository) == [""]


@pytest.mark.usefixtures("repository")
def test_jar_of_the_wrong_size_is_fetched_again() -> None:
    pinned().path.parent.mkdir(parents=True)
    pinned().path.write_bytes(CONTENT[:10])

    jars.fetch((pinned(),))

    assert pinned().path.read_bytes() == CONTENT


def test_interrupted_download_continues_where_it_stopped(repository: Repository) -> None:
    repository.cuts = [6 * CHUNK_BYTES, 3 * CHUNK_BYTES]
    arrived: list[int] = []

    download(repository, pinned()).run(arrived.append)

    assert pinned().path.read_bytes() == CONTENT
    assert ranges(repository) == ["", f"bytes={6 * CHUNK_BYTES}-", f"bytes={9 * CHUNK_BYTES}-"]
    assert sum(arrived) == len(CONTENT)


def test_download_that_an_earlier_process_left_continues(repository: Repository) -> None:
    attempt = download(repository, pinned())
    attempt.part.parent.mkdir(parents=True)
    attempt.part.write_bytes(CONTENT[:200_000])

    attempt.run(lambda _: None)

    assert pinned().path.read_bytes() == CONTENT
    assert ranges(repository) == ["bytes=200000-"]


def test_part_of_another_file_is_discarded(repository: Repository) -> None:
    attempt = download(repository, pinned())
    attempt.part.parent.mkdir(parents=True)
    attempt.part.write_bytes(b"x" * 200_000)
    arrived: list[int] = []

    attempt.run(arrived.append)

    assert pinned().path.read_bytes() == CONTENT
    assert ranges(repository) == ["bytes=200000-", ""]
    assert sum(arrived) == len(CONTENT)


def test_server_without_ranges_sends_the_whole_file_again(repository: Repository) -> None:
    repository.cuts, repository.ranges_work = [100_000], False
    arrived: list[int] = []

    download(repository, pinned()).run(arrived.append)

    assert pinned().path.read_bytes() == CONTENT
    assert sum(arrived) == len(CONTENT)


def test_busy_server_is_asked_again(repository: Repository) -> None:
    repository.refusals = [503, 429, 500]

    download(repository, pinned()).run(lambda _: None)

    assert pinned().path.read_bytes() == CONTENT


def test_server_that_stays_busy_is_an_error(repository: Repository) -> None:
    repository.refusals = [503] * ATTEMPTS

    with pytest.raises(DownloadError, match=rf"{ATTEMPTS} attempts; last: HTTP status 503"):
        download(repository, pinned()).run(lambda _: None)


@pytest.mark.usefixtures("repository")
def test_error_without_a_network_names_the_cache_variable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    jar = pinned()
    unreachable = Download(f"http://127.0.0.1:{closed}/mill.jar", jar.path, jar.sha256, jar.size, backoff_seconds=0.001)

    with pytest.raises(DownloadError, match=r"(?s)mill\.jar could not be fetched.*MILLRACE_CACHE"):
        unreachable.run(lambda _: None)


def test_file_that_the_repository_lacks_is_requested_once(repository: Repository) -> None:
    absent = pinned(Coordinate.parse("org.example:absent:1"))

    with pytest.raises(JarsError, match=r"absent-1\.jar could not be fetched: HTTP status 404"):
        jars.fetch((absent,))

    assert len(repository.requests) == 1


@pytest.mark.parametrize("password", ["s3cret", "s3/cret"])
@pytest.mark.parametrize("status", [200, 404, 503])
def test_login_of_a_private_mirror_is_in_no_error(repository: Repository, status: int, password: str) -> None:
    jar = pinned()
    repository.refusals += [] if status == 200 else [status] * 4
    url = repository.url.replace("://", f"://ci:{password}@")
    wrong = Download(f"{url}/{jar.coordinate.path}", jar.path, "0" * 64, jar.size, backoff_seconds=0.001)

    with pytest.raises(DownloadError) as error:
        wrong.run(lambda _: None)

    assert "s3" not in str(error.value)
    assert "cret" not in str(error.value)
    assert f"http://•••@{repository.url.removeprefix('http://')}/" in str(error.value)


def test_password_of_a_private_mirror_may_have_a_slash(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_MAVEN_REPOSITORY", repository.url.replace("://", "://ci:s3/cret@"))

    jars.fetch((pinned(),))

    assert pinned().path.read_bytes() == CONTENT


def test_error_of_resolving_a_jar_has_no_part_of_the_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_MAVEN_REPOSITORY", "http://ci:p@127.0.0.1:9/s3cret@host.example")

    with pytest.raises(ResolveError, match=r"^http://•••@host\.example could not be asked: ConnectionError$"):
        sha256_and_size(COORDINATE)


def test_file_with_another_checksum_is_refused_and_kept(repository: Repository) -> None:
    expected, got = hashlib.sha256(CONTENT).hexdigest(), hashlib.sha256(CONTENT[::-1]).hexdigest()
    repository.files[f"/{COORDINATE.path}"] = CONTENT[::-1]

    with pytest.raises(JarsError) as error:
        jars.fetch((pinned(),))

    bad = pinned().path.with_name("mill-1.2.jar.bad")
    assert bad.read_bytes() == CONTENT[::-1]
    assert not pinned().path.exists()
    for expected_text in (COORDINATE.path, expected, got, str(bad), "run the same command again"):
        assert expected_text in str(error.value)


def test_file_that_is_too_long_is_refused(repository: Repository) -> None:
    repository.files[f"/{COORDINATE.path}"] = CONTENT + CONTENT

    with pytest.raises(JarsError, match="is not the file that was pinned"):
        jars.fetch((pinned(),))


@pytest.mark.usefixtures("repository")
def test_jar_that_was_damaged_later_is_found_by_its_checksum() -> None:
    jars.fetch((pinned(),))
    pinned().path.write_bytes(CONTENT[::-1])

    assert jars.faults((pinned(),)) == []
    assert jars.faults((pinned(),), deep=True) == [f"{pinned().path} has the wrong checksum: remove it"]


def test_clones_that_fetch_at_once_download_each_file_once(repository: Repository) -> None:
    wanted = (pinned(), pinned(OTHER, CONTENT[:1000]))

    with ThreadPoolExecutor(4) as clones:
        for done in [clones.submit(jars.fetch, wanted) for _ in range(4)]:
            done.result()

    assert len(repository.requests) == 2
    assert pinned().path.read_bytes() == CONTENT


def test_wait_for_another_clone_is_reported(tmp_path: Path) -> None:
    lines: list[str] = []
    holder = ExitStack()
    holder.enter_context(exclusive(tmp_path, pytest.fail))

    def report(text: str) -> None:
        lines.append(text)
        holder.close()

    with exclusive(tmp_path, report):
        pass

    assert lines == [f"{tmp_path} is being written already; waiting until that is done"]


def test_folder_that_cannot_be_written_names_the_variables(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    with (
        pytest.raises(CacheError, match="choose another with MILLRACE_CACHE or MILLRACE_STATE"),
        exclusive(file, print),
    ):
        pass


@pytest.mark.usefixtures("repository")
def test_other_users_can_read_the_cache_whatever_the_umask() -> None:
    before = os.umask(0o077)
    try:
        jars.fetch((pinned(),))
    finally:
        os.umask(before)

    path = pinned().path
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    for folder in (f for f in path.parents if f.is_relative_to(cache_directory())):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o755


@pytest.mark.usefixtures("repository")
def test_error_of_a_group_not_fetched_has_the_command() -> None:
    with pytest.raises(JarsError, match=re.escape("the first: org.eclipse.jdt:ecj:3.38.0. Run `python -m")):
        jars.paths("compiler")


def test_unknown_group_is_reported_with_the_known_ones() -> None:
    with pytest.raises(JarsError, match=r"no group 'kafak'; it has flink, flink-opt, kafka, .+, compiler"):
        jars.paths("kafak")


def test_lock_has_every_root_once() -> None:
    pins = [(jar.group, str(jar.coordinate)) for jar in locked()]

    assert len(pins) == len(set(pins))
    assert {(root.group, root.coordinate) for root in jars.ROOTS} <= set(pins)


def test_kafka_jars_are_of_one_release() -> None:
    assert {j.coordinate.version for j in locked() if j.coordinate.group == "org.apache.kafka"} == {"4.3.1"}
