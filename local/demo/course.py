"""Runs the demo from start to checks; at the end everything is stopped and deleted in any case."""

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from pathlib import Path

from connectors.settings import Settings, state_directory
from jobs import flow as picture
from local.demo import samples
from local.demo.figures.job_figures import job_figures
from local.demo.figures.observer import Observer
from local.demo.jobs_under_way import JobsUnderWay
from local.demo.preparing import prepare_for_jobs, prepare_shop
from local.demo.proving import prove, read_ledgers
from local.demo.saying import say
from local.demo.services import Services
from local.demo.watching import Run, watch
from local.stack.supervisor import Stack
from ops.jobs.cluster_jobs import known, restarts


def demonstrate(
    seconds: float,
    rate: float,
    seed: int,
    beside: Callable[[Stack], AbstractContextManager[None]] = lambda _: nullcontext(),
) -> None:
    """Start the stack, submit the jobs, let orders and payments flow, watch, check, shut down.

    Args:
        beside: entered with the running stack before orders and payments flow, left when all records are read.
    """
    state = state_directory()
    os.environ["MILLRACE_STATE"] = str(state.with_name(f"{state.name}-demo"))
    stack = Stack.from_environment(say=say)
    with ExitStack() as at_the_end:
        at_the_end.callback(_shut_down, stack)
        clear(stack)  # a demo that was killed may have left data
        stack.up()
        settings = Settings.from_environment()
        services = Services(_folder(stack), seconds, rate, seed)
        services.folder.mkdir()
        prepare_for_jobs(settings)
        jobs = at_the_end.enter_context(JobsUnderWay(settings))
        prepare_shop(settings, services)
        run = Run(stack, settings, services, Observer(settings), jobs)
        at_the_end.callback(run.observer.close)
        jobs.wait_until_running()
        with beside(stack):
            watch(run)
        fraud_job = job_figures(settings, jobs[picture.FRAUD_DETECTION])
        restarted = {
            box.name: restarts(settings, known(settings, jobs[box])) for box in (*picture.JOBS, *picture.PIPELINES)
        }
        samples.show(stack.setup, run.observer.observed.alerts)
        prove(stack.setup, run.observer.observed, read_ledgers(settings, services), fraud_job, restarted)


def _shut_down(stack: Stack) -> None:
    with suppress(OSError):
        say("shutting down")
    clear(stack)


def clear(stack: Stack) -> None:
    """Stop everything, and delete what the stack and the demo wrote."""
    stack.down(delete_data=True)
    if _folder(stack).exists():
        shutil.rmtree(_folder(stack))


def _folder(stack: Stack) -> Path:
    return stack.setup.state / "demo"
