"""Jars of a submission, and error messages of a failed one."""

import zipfile
from pathlib import Path

import pytest

from connectors.settings import Settings
from ops.jobs.submit import client_home, reason
from tests.services.json_server import json_server
from toolchain.flink_home import FlinkHome

FAILED = (
    """\
12:00:01 WARN  o.a.f.SomeClass something else
Traceback (most recent call last):
  File "/tmp/millrace-scratch-x1/millrace/jobs/mine.py", line 7, in main
    tables.execute_sql(text)
pyflink.util.exceptions.TableException: org.apache.flink.table.api.TableException: Sort is not supported.
"""
    + "".join(f"\tat org.apache.flink.table.Planner.step{number}(Planner.scala:{number})\n" for number in range(40))
    + """\
\tat java.base/jdk.internal.reflect.DirectMethodHandleAccessor.invoke(Unknown Source)
Caused by: java.lang.IllegalStateException: not sorted
\t... 40 more
12:00:02 ERROR o.a.f.c.p.PythonDriver Run python process failed
"""
)


def test_failed_submission_shows_the_reason_without_java_frames(tmp_path: Path) -> None:
    assert reason(FAILED, tmp_path).splitlines() == [
        "Traceback (most recent call last):",
        f'  File "{tmp_path}/jobs/mine.py", line 7, in main',
        "    tables.execute_sql(text)",
        "pyflink.util.exceptions.TableException: org.apache.flink.table.api.TableException: Sort is not supported.",
        "Caused by: java.lang.IllegalStateException: not sorted",
    ]


@pytest.mark.parametrize(
    ("classpath", "sends_flink_python"),
    [
        (["/opt/flink/lib/flink-python-2.3.0.jar", "/opt/flink/lib/flink-dist-2.3.0.jar"], False),
        (["/opt/flink/lib/flink-dist-2.3.0.jar"], True),
        (["/opt/flink/lib/flink-python-2.2.0.jar"], True),
    ],
)
def test_flink_python_is_sent_only_to_a_cluster_without_it(
    tmp_path: Path, classpath: list[str], sends_flink_python: bool
) -> None:
    lib, opt, scratch = (tmp_path / name for name in ("lib", "opt", "scratch"))
    for folder in (lib, opt, scratch):
        folder.mkdir()
    (lib / "flink-python-2.3.0.jar").write_bytes(b"classes")
    home = FlinkHome(lib, opt, java_home=tmp_path)

    with json_server(lambda _path, _body: (200, {"classpath": classpath})) as url:
        found = client_home(home, Settings(flink_rest_url=url), scratch)

    if sends_flink_python:
        assert found == home
    else:
        [sent] = found.opt.iterdir()
        assert sent.name == "flink-python-2.3.0.jar"
        assert zipfile.ZipFile(sent).namelist() == ["META-INF/MANIFEST.MF"]
