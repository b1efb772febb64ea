"""Flink's client as one process for many submissions, since its start and warm-up are most of each submission.

The process replaces the program that `ops submit` starts. Tests of the command line run that program itself.
"""

import json
import os
import runpy
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from pyflink import java_gateway
from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment

from connectors.process_environment import child_environment
from connectors.settings import Settings
from jobs.runner import reset_operator_numbers
from local.settings import CHECKOUT
from ops.jobs import submit
from ops.jobs.cluster_jobs import all_jobs
from toolchain import flink_conf
from toolchain.flink_home import FlinkHome, assemble, end_jvm

END_SECONDS = 60
AS_OPTIONS = {"--fromSavepoint": "execution.state-recovery.path", "--parallelism": "parallelism.default"}
"""Flink options for the client's arguments."""


class WarmClient:
    """The calling side. The process starts with the first submission."""

    def __init__(self, folder: Path) -> None:
        """Prepare a client without a process.

        Args:
            folder: exists, has a plain path, and takes the process's temporary files and output.
        """
        self._folder = folder
        self._output = folder / "output"
        self._process: subprocess.Popen[str] | None = None
        self._run_cold = submit.run_client

    def run(
        self, home: FlinkHome, settings: Settings, arguments: list[str], scratch: Path
    ) -> subprocess.CompletedProcess[str]:
        """Replace `ops.jobs.submit.run_client`, whose error messages a failure keeps."""
        known = {job.id for job in all_jobs(settings)}
        printed, submitted = self._submit(settings, arguments)
        if not submitted:
            cold = self._run_cold(home, settings, arguments, scratch)
            assert cold.returncode, f"only the warm client can't submit it: {printed}"
            return cold
        begun = sorted((job for job in all_jobs(settings) if job.id not in known), key=lambda job: job.started_at)
        lines = [f"Job has been submitted with JobID {job.id}\n" for job in begun]
        return subprocess.CompletedProcess(arguments, 0, "".join([printed, *lines]))

    def _submit(self, settings: Settings, arguments: Sequence[str]) -> tuple[str, bool]:
        """Return what was printed, and whether the job was submitted."""
        if self._process is None:
            self._process = self._started()
        begins_at = len(self._output.read_text())
        requests, answers = self._process.stdin, self._process.stdout
        assert requests
        assert answers
        print(json.dumps({"arguments": arguments, "variables": settings.as_variables()}), file=requests, flush=True)
        answer = answers.readline()
        assert answer, f"the client has ended: {self._output.read_text()}"
        return self._output.read_text()[begins_at:], json.loads(answer)

    def _started(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.e2e.warm_client", str(self._folder)]
        with self._output.open("ab") as output:
            return subprocess.Popen(
                command,
                cwd=CHECKOUT,
                env=child_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            )

    def end(self) -> None:
        """Stop the process, if it was started."""
        if self._process is not None:
            self._process.communicate(timeout=END_SECONDS)


def serve(folder: Path) -> None:
    """Run each line of standard input, and answer whether the job was submitted; stop with the input."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the JVM and the jobs print to standard output
    assemble().use(folder)
    os.environ["JVM_ARGS"] += " -XX:TieredStopAtLevel=1 -Xmx512m"
    os.environ["FLINK_CONF_DIR"] = str(flink_conf.FOLDER)
    os.environ["FLINK_LOG_DIR"] = str(folder)
    java_gateway.get_gateway()  # before a job's environment names another one
    try:
        for line in sys.stdin:
            request = json.loads(line)
            print(json.dumps(_submitted(request["arguments"], request["variables"])), file=answers, flush=True)
    finally:
        end_jvm()


def _submitted(arguments: Sequence[str], variables: Mapping[str, str]) -> bool:
    options, (script, *own) = _parsed(arguments)
    own_packages = own[1].split(",")
    with (
        mock.patch.dict(os.environ, {**variables, "PYFLINK_GATEWAY_PORT": "of this process"}),
        mock.patch.object(sys, "argv", [script, *own]),
        mock.patch.object(sys, "path", [options["python.files"], *sys.path]),
        mock.patch.object(StreamExecutionEnvironment, "get_execution_environment", _environments(options)),
        _modules_of_its_own(own_packages),
    ):
        try:
            reset_operator_numbers()
            runpy.run_path(script, run_name="__main__")
        except (Exception, SystemExit):  # noqa: BLE001 - the cold client reports any failure in words
            traceback.print_exc()
            return False
        return True


def _parsed(arguments: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return Flink's options, and the script with its arguments."""
    options = {**flink_conf.parse(flink_conf.CONFIGURATION.read_text("utf-8")), "execution.attached": "false"}
    left = iter(arguments[arguments.index("--detached") + 1 :])
    for argument in left:
        if argument.startswith("-D"):
            key, _, value = argument.removeprefix("-D").partition("=")
            options[key] = value
        elif argument in AS_OPTIONS:
            options[AS_OPTIONS[argument]] = next(left)
        elif argument == "--pyFiles":
            options["python.files"] = next(left)
        else:
            assert argument == "--python", argument
            return options, list(left)
    raise AssertionError(f"no script in {arguments}")


def _environments(options: Mapping[str, str]) -> Any:
    """Return a factory of environments as Flink's client has: a job's own configuration overrides the options."""

    def environment(configuration: Configuration | None = None) -> StreamExecutionEnvironment:
        flink = java_gateway.get_gateway().jvm.org.apache.flink
        merged = Configuration()
        for key, value in options.items():
            merged.set_string(key, value)
        if configuration is not None:
            merged.add_all(configuration)
        api = flink.streaming.api.environment
        return StreamExecutionEnvironment(api.StreamExecutionEnvironment(merged._j_configuration))

    return staticmethod(environment)


@contextmanager
def _modules_of_its_own(packages: Sequence[str]) -> Iterator[None]:
    """Run the block without the loaded modules of these packages, and restore them afterwards."""

    def loaded() -> list[str]:
        return [name for name in sys.modules if name.partition(".")[0] in packages]

    kept = {name: sys.modules.pop(name) for name in loaded()}
    cloudpickle: Any = sys.modules["cloudpickle"]
    with mock.patch.object(cloudpickle, "dumps", cloudpickle.dumps):
        try:
            yield
        finally:
            for name in loaded():
                del sys.modules[name]
            sys.modules |= kept


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
