"""Common parts of the JobManager and the TaskManagers: one configuration, and the start of their Java processes.

The wheel's scripts are not used: they put themselves into the background, keep process ids in /tmp, and start three
JVMs before the actual one.
"""

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from connectors.process_environment import UTF_8, child_environment
from local.stack.service import DEFAULT_PATH, Launch, Place
from local.stack.services.java_process import arguments_file, classpath, java_arguments, java_command
from local.stack.setup import Setup
from toolchain import flink_conf
from toolchain.flink_home import WHEEL
from toolchain.scratch import plain_path

SHARED = "flink"
"""Name of the place that all of them share: configuration, checkpoints, savepoints."""
RESULT = "BASH_JAVA_UTILS_EXEC_RESULT:"
Role = Literal["jobmanager", "taskmanager"]

MAIN_CLASSES: Mapping[Role, str] = {
    "jobmanager": "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
    "taskmanager": "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
}


class FlinkConfigurationError(RuntimeError):
    """Flink can't work with flink-conf/config.yaml; the text is its own."""


@dataclass(frozen=True)
class Memory:
    """Flink's result for the memory settings."""

    java: tuple[str, ...]
    """Options of the JVM."""
    flink: tuple[str, ...]
    """Arguments of the main class."""


def effective_configuration(text: str, added: Mapping[str, str]) -> str:
    """Return flink-conf/config.yaml with the settings of this stack.

    Raises:
        FlinkConfigurationError: the file sets one of them already.
    """
    if twice := flink_conf.parse(text).keys() & added.keys():
        raise FlinkConfigurationError(
            f"{', '.join(sorted(twice))} can't be set in {flink_conf.CONFIGURATION}: the local stack sets it to its own"
        )
    return text + "\n# Of this stack alone.\n" + "".join(f"{key}: {_quoted(value)}\n" for key, value in added.items())


def launch(
    setup: Setup, place: Place, role: Role, options: Mapping[str, str], java_options: Sequence[str] = ()
) -> Launch:
    """Return how one of the cluster's processes is started.

    Args:
        options: Flink's, for this process alone, besides its folder for temporary files.
        java_options: the JVM's, besides those that Flink requires.
    """
    shared = setup.place(SHARED)
    text = effective_configuration(flink_conf.CONFIGURATION.read_text(), _of_this_stack(setup, shared))
    logging = shared.conf / "log4j.properties"
    memory = _memory(role, text, setup.java_home)
    java = [
        *memory.java,
        *java_options,
        *flink_conf.java_options(text),
        f"-Dlog.file={place.log}",
        f"-Dlog4j.configurationFile={logging.as_uri()}",
        "-cp",
        classpath(_jars(setup.flink.lib)),
    ]
    own = {"io.tmp.dirs": str(plain_path(place.temporary)), **options}
    arguments = [argument for key, value in own.items() for argument in ("-D", f"{key}={value}")]
    main = [MAIN_CLASSES[role], *memory.flink, "--configDir", str(shared.conf), *arguments]
    return Launch(
        command=java_command(setup.java_home, place),
        files={
            shared.conf / "config.yaml": text,
            logging: (flink_conf.FOLDER / "log4j.properties").read_text(),
            arguments_file(place): java_arguments(place, java, main),
        },
        environment=setup.flink.environment(DEFAULT_PATH) | {"FLINK_CONF_DIR": str(shared.conf)},
    )


def _of_this_stack(setup: Setup, shared: Place) -> dict[str, str]:
    rest = setup.port("flink")
    return {
        "jobmanager.rpc.address": "127.0.0.1",
        "jobmanager.rpc.port": setup.local.flink_jobmanager_port,
        "rest.address": rest.host,
        "rest.port": str(rest.number),
        # Not as URIs: Flink takes %20 in one as a part of the name.
        "execution.checkpointing.dir": f"file://{shared.folder / 'checkpoints'}",
        "execution.checkpointing.savepoint-dir": f"file://{shared.folder / 'savepoints'}",
        "jobmanager.archive.fs.dir": f"file://{shared.folder / 'ended-jobs'}",
        **setup.flink.options(),
    }


@cache
def _memory(role: Role, text: str, java_home: Path) -> Memory:
    """Return Flink's own calculation, as its scripts do."""
    (dist,) = (WHEEL / "lib").glob("flink-dist-*.jar")
    utilities = classpath([WHEEL / "bin" / "bash-java-utils.jar", dist])
    ask = "GET_JM_RESOURCE_PARAMS" if role == "jobmanager" else "GET_TM_RESOURCE_PARAMS"
    with tempfile.TemporaryDirectory(prefix="millrace-") as folder:
        Path(folder, "config.yaml").write_text(text)
        answer = subprocess.run(
            [
                str(java_home / "bin" / "java"),
                "-XX:-UsePerfData",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                utilities,
                "org.apache.flink.runtime.util.bash.BashJavaUtils",
                ask,
                "--configDir",
                folder,
            ],
            env=child_environment(UTF_8),
            capture_output=True,
            text=True,
            check=False,
        )
    results = [line.removeprefix(RESULT).split() for line in answer.stdout.splitlines() if line.startswith(RESULT)]
    if answer.returncode or len(results) != 2:
        raise FlinkConfigurationError(
            f"Flink can't work with {flink_conf.CONFIGURATION}:\n{answer.stdout}{answer.stderr}"
        )
    return Memory(java=tuple(results[0]), flink=tuple(results[1]))


def _jars(lib: Path) -> list[Path]:
    """Return the jars in the order of Flink's scripts: flink-dist last, so that classes of others take precedence."""
    return sorted(lib.glob("*.jar"), key=lambda jar: (jar.name.startswith("flink-dist"), jar.name))


def _quoted(value: str) -> str:
    escaped = value.replace("'", "''")
    return f"'{escaped}'"
