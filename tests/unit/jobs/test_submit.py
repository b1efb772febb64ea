"""Error messages of a failed submission."""

from pathlib import Path

from ops.jobs.submit import reason

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
