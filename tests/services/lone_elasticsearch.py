"""The stack's Elasticsearch alone, for tests that need no more."""

from contextlib import AbstractContextManager

import psutil

from local.stack import processes
from local.stack.starting import StackError
from local.stack.supervisor import Stack
from tests.services.lone_service import lone_service

ENDS_WITHIN_SECONDS = 30


def lone_elasticsearch() -> AbstractContextManager[Stack]:
    """Run a node at `stack.setup.settings.elasticsearch_url` while the block runs."""
    return lone_service("elasticsearch", {"MILLRACE_ELASTICSEARCH_URL": "http://127.0.0.1:{port}"})


def kill_node(stack: Stack) -> None:
    """Kill Elasticsearch as a crash would; `stack.start("elasticsearch")` restarts it.

    `stack.kill` kills the launcher that started the node, at which the node stops in an orderly way.

    Raises:
        StackError: Elasticsearch doesn't run.
    """
    recorded = processes.running(stack.service("elasticsearch").place.pid_file)
    if recorded is None:
        raise StackError("elasticsearch doesn't run, so it can't be killed")
    launcher = psutil.Process(recorded.pid)
    (node,) = launcher.children()
    node.kill()
    assert processes.ends(launcher, ENDS_WITHIN_SECONDS), "the launcher outlives its node"
