"""Profiles of every profiler are read alike."""

import pytest

from tests.bench.reports.profiles import Frame, above, read

STACKS = """\
main (app.py:1);judge (rules.py:9);decode (json.py:2) 3
main (app.py:1);judge (rules.py:9) 1
main (app.py:1);send (kafka.py:4) 4
 4201
"""
PAGE = """\
<!DOCTYPE html>
<html lang='en'>
<script>
f(0,0,8,3,'all')
f(1,0,8,1,'java/lang/Thread.run')
f(2,0,6,0,'org/apache/flink/Task.doRun_[j]')
f(3,0,6,0,'millrace/features/SlidingFeatures.eval',6,0,0)
f(2,6,2,4,'CompileBroker::loop(Thread\\'s)')
</script>
"""


def test_collapsed_stacks_become_frames_from_the_caller_on() -> None:
    assert read(STACKS) == [
        Frame(1, 0.0, 1.0, "main (app.py:1)"),
        Frame(2, 0.0, 0.5, "judge (rules.py:9)"),
        Frame(3, 0.125, 0.375, "decode (json.py:2)"),
        Frame(2, 0.5, 0.5, "send (kafka.py:4)"),
    ]


def test_page_of_async_profiler_becomes_frames_without_packages() -> None:
    assert read(PAGE) == [
        Frame(1, 0.0, 1.0, "Thread.run"),
        Frame(2, 0.0, 0.75, "Task.doRun"),
        Frame(3, 0.0, 0.75, "SlidingFeatures.eval"),
        Frame(2, 0.75, 0.25, "CompileBroker::loop(Thread's)"),
    ]


def test_unreadable_frames_are_left_out() -> None:
    assert [frame.name for frame in read("a;b 999\na;c 1\n")] == ["a", "b"]


def test_frames_above_a_function_are_drawn_as_the_whole() -> None:
    assert above(read(STACKS), "judge") == [
        Frame(1, 0.0, 1.0, "judge (rules.py:9)"),
        Frame(2, 0.25, 0.75, "decode (json.py:2)"),
    ]
    both = above(read("a;f;g 1\nb;f;f 3\n"), "f")
    assert both == [
        Frame(1, 0.0, 0.25, "f"),
        Frame(2, 0.0, 0.25, "g"),
        Frame(1, 0.25, 0.75, "f"),
        Frame(2, 0.25, 0.75, "f"),
    ]


@pytest.mark.parametrize("text", ["", "no number of samples", "<html></html>"])
def test_file_that_is_no_profile_is_reported(text: str) -> None:
    with pytest.raises(ValueError, match=r"no frames|no stack"):
        read(text)


def test_missing_function_is_named() -> None:
    with pytest.raises(ValueError, match="'nobody'"):
        above(read(STACKS), "nobody")
