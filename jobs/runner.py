"""Script for Flink's client: runs jobs whose functions each carry the version of our code that they need.

In thread mode all jobs that a TaskManager ever runs share one Python interpreter, and Python loads a module once. So
without this a job that is submitted again with changed code would silently run the old code. Every function therefore
arrives in a wrapper, which removes another version's modules from the interpreter before the function itself, which
names them, is unpickled. (Modules that a running function has loaded stay with it.)
"""

import importlib
import json
import os
import pickle
import runpy
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment

from toolchain.flink_home import look_up_names_once


class _Versioned:
    """A pickled function, and the version of the code that it was pickled with."""

    def __init__(self, pickled: bytes, version: str, packages: tuple[str, ...]) -> None:
        self._parts = (pickled, version, packages)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _unpickle, self._parts


def _unpickle(pickled: bytes, version: str, packages: tuple[str, ...]) -> Any:
    """Unpickle a function on the TaskManager, which has only those parts of this file that are pickled with it."""
    marks = vars(sys)
    with marks.setdefault("_millrace_lock", threading.Lock()):
        ours = [module for name, module in sys.modules.items() if name.partition(".")[0] in packages]
        # The code of a job is in its own folder on the TaskManager, so the same version may have moved.
        moved = any(not Path(folder).is_dir() for module in ours for folder in getattr(module, "__path__", ()))
        if moved or marks.get("_millrace_version") != version:
            marks["_millrace_version"] = version
            for name in [name for name in sys.modules if name.partition(".")[0] in packages]:
                del sys.modules[name]
            importlib.invalidate_caches()
    return pickle.loads(pickled)


def _wrap_functions(version: str, packages: tuple[str, ...]) -> None:
    """Wrap all functions: PyFlink pickles each with `cloudpickle.dumps`, and has no hook for additions."""
    plain: Callable[..., bytes] = cloudpickle.dumps

    def dumps(function: Any, *arguments: Any, **options: Any) -> bytes:
        return plain(_Versioned(plain(function, *arguments, **options), version, packages))

    cloudpickle.dumps = dumps


def reset_operator_numbers() -> None:
    """Make the planner number the next job's operators as it would in a client of its own.

    The numbers are parts of their uids, by which a savepoint's state is assigned, and the planner continues counting
    where the last job of this JVM ended.
    """
    tables = StreamTableEnvironment.create(StreamExecutionEnvironment.get_execution_environment())
    planner = tables._j_tenv.getPlanner().getClass().getClassLoader()
    gateway = get_gateway()
    no_types, nothing = gateway.new_array(gateway.jvm.Class, 0), gateway.new_array(gateway.jvm.Object, 0)
    counter = planner.loadClass("org.apache.flink.table.planner.plan.nodes.exec.ExecNodeContext")
    counter.getMethod("resetIdCounter", no_types).invoke(None, nothing)


if __name__ == "__main__":
    look_up_names_once()
    code_version, code_packages, described = sys.argv[1:]
    _wrap_functions(code_version, tuple(code_packages.split(",")))
    for number, job in enumerate(json.loads(described)):
        if number:
            reset_operator_numbers()
        sys.argv[1:] = job["arguments"]
        os.environ |= job["variables"]
        runpy.run_module(job["module"], run_name="__main__")
