"""Runs the demo from start to checks; at the end everything is stopped and deleted in any case."""

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from pathlib import Path

from connectors.elasticsearch.client import client, explained
from connectors.settings import Settings, state_directory
from jobs import flow
from local.demo import examples
from local.demo.checks.checks import check_results, read_ledgers
from local.demo.output import report
from local.demo.phases import Run, watch
from local.demo.results.fraud_job import job_figures
from local.demo.results.observer import Observer
from local.demo.services import Services
from local.demo.submitted_jobs import SubmittedJobs
from local.simulator.shop.database import make_tables
from local.stack.supervisor import Stack
from ops.capture import apply as change_capture
from ops.jobs.cluster_jobs import known, restarts
from ops.page.commands import DEFAULT_ADDRESS
from ops.rules import rulesets
from ops.search import apply as search
from ops.search.indices import declared
from ops.topics import apply as topics
from ops.topics import schemas
from ops.warehouse import database as warehouse
from udfs.fraud import ruleset_files


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
    stack = Stack.from_environment(report=report)
    with ExitStack() as at_the_end:
        at_the_end.callback(_shut_down, stack)
        clear(stack)  # a demo that was killed may have left data
        stack.up()
        settings = Settings.from_environment()
        services = Services(_folder(stack), seconds, rate, seed)
        services.folder.mkdir()
        _prepare_for_jobs(settings)
        jobs = at_the_end.enter_context(SubmittedJobs(settings))
        _prepare_shop(settings, services)
        run = Run(stack, settings, services, Observer(settings), jobs)
        at_the_end.callback(run.observer.close)
        jobs.wait_until_running()
        report(f"look at it: `make page` in another terminal → http://{DEFAULT_ADDRESS}/")
        with beside(stack):
            watch(run)
        fraud_job = job_figures(settings, jobs[flow.FRAUD_DETECTION])
        restarted = {
            program.name: restarts(settings, known(settings, jobs[program]))
            for program in (*flow.JOBS, *flow.PIPELINES)
        }
        examples.show(stack.setup, run.observer.observed.alerts)
        check_results(stack.setup, run.observer.observed, read_ledgers(settings, services), fraud_job, restarted)


def _prepare_for_jobs(settings: Settings) -> None:
    """Create what the jobs read and write."""
    report(f"topics: {len(topics.apply(settings))} created")
    report(f"schemas: {len(schemas.register(settings))} registered")
    ruleset = rulesets.publish(settings, ruleset_files.parse(ruleset_files.default_text()), "demo")
    report(f"rules: version {ruleset.version} published, {len(ruleset.rules)} rules")
    report(f"warehouse: {len(warehouse.migrate(settings))} migrations applied")
    with explained(settings), client(settings) as elasticsearch:
        made = [step.detail for step in search.apply(elasticsearch, declared()) if step.what == "create index"]
    report(f"search index: {'; '.join(made)}")


def _prepare_shop(settings: Settings, services: Services) -> None:
    """Create the shop's customers and products, and set up the capture of their changes."""
    rows = make_tables(settings, services.customers)
    report(f"shop: {', '.join(f'{count:,} rows in {name}' for name, count in rows.items())}")
    change_capture.apply(settings, lambda text: report(f"capture: {text}"))


def _shut_down(stack: Stack) -> None:
    with suppress(OSError):
        report("shutting down")
    clear(stack)


def clear(stack: Stack) -> None:
    """Stop everything, and delete what the stack and the demo wrote."""
    stack.down(delete_data=True)
    if _folder(stack).exists():
        shutil.rmtree(_folder(stack))


def _folder(stack: Stack) -> Path:
    return stack.setup.state / "demo"
