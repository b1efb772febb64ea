"""A Flink cluster inside PyFlink's JVM, for tests to submit to: started once, as a job takes seconds without it."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import requests
from pyflink import java_gateway
from pyflink.common import JobClient
from pyflink.datastream import StreamExecutionEnvironment

from local.stack.services.java_process import QUICK_TO_START
from toolchain import jars
from toolchain.build import Compiler, compile_jar
from toolchain.cache import cache_directory
from toolchain.flink_home import WHEEL, FlinkHome, assemble, end_jvm
from toolchain.scratch import plain_path

ROOT = Path(__file__).parents[2]
JAVA = Path(__file__).parent / "java"
SLOTS = 8
END_SECONDS = 30
RETAINED_CHECKPOINTS = {
    "execution.checkpointing.interval": "200 ms",
    "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
}


@dataclass(frozen=True)
class MiniCluster:
    """A running cluster."""

    folder: Path
    """Everything that it writes is in here: checkpoints, temporary files, logs."""
    rest_port: int
    process_id: int
    """Id of the JVM's process, in which thread mode runs Python too."""
    options: dict[str, str]
    """Configuration of every job: this interpreter, and how to run and to fail."""

    def environment(self, options: Mapping[str, str] | None = None) -> StreamExecutionEnvironment:
        """Return an environment that submits to it, with these Flink options besides its own."""
        gateway = java_gateway.get_gateway()
        flink = gateway.jvm.org.apache.flink
        configuration = _configuration(gateway.jvm, self.options | dict(options or {}))
        no_jars = gateway.new_array(gateway.jvm.String, 0)
        restore = flink.runtime.jobgraph.SavepointRestoreSettings.fromConfiguration(configuration)
        environment = flink.streaming.api.environment.RemoteStreamEnvironment(
            "127.0.0.1", self.rest_port, configuration, no_jars, None, restore
        )
        return StreamExecutionEnvironment(environment)

    def stop_with_savepoint(self, job: JobClient) -> str:
        """Stop a job that runs on it.

        PyFlink's own method calls one that Flink's client doesn't have any more.

        Returns:
            Where the savepoint is, for `execution.state-recovery.path`.
        """
        java = java_gateway.get_gateway().jvm
        form = java.org.apache.flink.core.execution.SavepointFormatType.CANONICAL
        stopped = job._j_job_client.stopWithSavepoint(False, (self.folder / "savepoints").as_uri(), form)
        return str(stopped.get())

    def crash(self, job: JobClient) -> str:
        """End a job that runs on it as a crash after a checkpoint does.

        The job needs `RETAINED_CHECKPOINTS`.

        Returns:
            Where the checkpoint is, for `execution.state-recovery.path`.
        """
        address = f"http://127.0.0.1:{self.rest_port}/jobs/{job.get_job_id()}"
        triggered = requests.post(f"{address}/checkpoints", json={"checkpointType": "CONFIGURED"}, timeout=10).json()
        self._wait_for("COMPLETED", f"{address}/checkpoints/{triggered['request-id']}", lambda it: it["status"]["id"])
        job.cancel().result()
        self._wait_for("CANCELED", address, lambda it: it["state"])
        complete = (self.folder / "checkpoints" / str(job.get_job_id())).glob("chk-*/_metadata")
        return max((each.parent for each in complete), key=lambda each: int(each.name.removeprefix("chk-"))).as_uri()

    def wait_until_read(self, job: JobClient, topic: str) -> None:
        """Wait until a topic that ends was read, and all that it sent has been processed."""
        address = f"http://127.0.0.1:{self.rest_port}/jobs/{job.get_job_id()}"

        def state(found: Any) -> str:
            sources = [each for each in found["vertices"] if f"records of {topic}" in each["name"]]
            assert sources, f"no source reads {topic}: {found}"
            return "FINISHED" if all(each["status"] == "FINISHED" for each in sources) else "RUNNING"

        self._wait_for("FINISHED", address, state)

    def _wait_for(self, state: str, address: str, state_of: Callable[[Any], str]) -> None:
        deadline = time.monotonic() + END_SECONDS
        while (found := requests.get(address, timeout=10).json()) and state_of(found) != state:
            assert time.monotonic() < deadline, f"{address} is still {found}"
            time.sleep(0.1)


@contextmanager
def mini_cluster(folder: Path) -> Iterator[MiniCluster]:
    """Start a cluster and end it, with its JVM.

    The environment's variables are changed meanwhile: the JVM, and with it thread mode, takes its paths from them.
    """
    with mock.patch.dict(os.environ, {}):
        home = assemble()
        home.use(_made(plain_path(folder) / "tmp"))
        os.environ |= {
            "HADOOP_CLASSPATH": str(_test_jar(home)),  # PyFlink adds it to the JVM's class path, whatever it is
            "FLINK_CONF_DIR": str(WHEEL / "conf"),
            "FLINK_LOG_DIR": str(folder),
            "ROOT_LOG_LEVEL": "WARN",
            # Each test runs code that is new to the JVM: half of its work was compiling for speed that no test needs.
            "JVM_ARGS": f"-Xmx1500m {' '.join(QUICK_TO_START)} {os.environ['JVM_ARGS']}",
        }
        gateway = java_gateway.get_gateway()
        process_id = gateway.jvm.java.lang.ProcessHandle.current().pid()
        try:
            cluster = _start(gateway.jvm, folder)
            try:
                port = cluster.getRestAddress().get().getPort()
                yield MiniCluster(folder, port, process_id, _job_options(home))
            finally:
                cluster.close()
        finally:
            end_jvm()


def _test_jar(home: FlinkHome) -> Path:
    (ecj,) = jars.paths("compiler")
    compiler = Compiler(ecj, sorted(home.lib.glob("*.jar")), home.java_home / "bin" / "java")
    return compile_jar(JAVA, compiler, cache_directory(), "millrace-records")


def _start(java: Any, folder: Path) -> Any:
    options = {
        "rest.address": "127.0.0.1",
        "rest.bind-address": "127.0.0.1",
        "io.tmp.dirs": str(_made(plain_path(folder) / "flink-tmp")),
        "taskmanager.memory.managed.size": "512m",
        "taskmanager.memory.network.min": "128m",
        "taskmanager.memory.network.max": "128m",
        "execution.checkpointing.dir": _made(folder / "checkpoints").as_uri(),
        "metrics.fetcher.update-interval": "100",
        "web.refresh-interval": "100",  # otherwise the state of a job would be up to 3 seconds old
        "restart-strategy.type": "none",
    }
    package = java.org.apache.flink.runtime.minicluster
    builder = package.MiniClusterConfiguration.Builder()
    builder.setConfiguration(_configuration(java, options)).setNumTaskManagers(1).setNumSlotsPerTaskManager(SLOTS)
    cluster = package.MiniCluster(builder.setCommonBindAddress("127.0.0.1").withRandomPorts().build())
    cluster.start()
    return cluster


def _configuration(java: Any, options: Mapping[str, str]) -> Any:
    configuration = java.org.apache.flink.configuration.Configuration()
    for name, value in options.items():
        configuration.setString(name, value)
    return configuration


def _job_options(home: FlinkHome) -> dict[str, str]:
    python = home.options()
    return python | {
        "python.pythonpath": os.pathsep.join([str(plain_path(ROOT)), python["python.pythonpath"]]),
        "python.execution-mode": "thread",
        "parallelism.default": "2",
        "table.local-time-zone": "UTC",
        # Each class made from SQL that is longer than this is parsed five times, to divide its methods: half of the
        # JVM's work. The JVM only interprets methods that should have been divided, which no test here notices.
        "table.generated-code.max-length": "1000000",
        "restart-strategy.type": "none",
    }


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
