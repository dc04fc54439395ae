"""``attnbench run``: plan, dispatch, store, show."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import harness
from harness.cli.common import open_dispatcher, plan_with_cluster, split_resume, user_kernel_dirs
from harness.cli.event_log import EventLog
from harness.cli.plan import print_summary
from harness.cli.progress import SweepProgress, progress_console
from harness.cli.results import print_results
from harness.dispatch.base import Dispatcher, Event
from harness.dispatch.driver import Outcome, run_sweep, skip_records
from harness.dispatch.resume import resumable_sweep
from harness.dispatch.rounds import requests_in_rounds
from harness.dispatch.watch import watched
from harness.errors import StoreError
from harness.masking import masked
from harness.measure.revision import harness_commit, kernel_revision
from harness.model import Sweep, new_sweep_id
from harness.plan import Planned
from harness.store import Store, open_store

INTERRUPTED = 130


def run_command(
    given: list[str],
    multirun: bool,
    kernels: list[Path],
    report: Path | None,
    cfg: str | None,
    log: str | None = None,
    *,
    table: bool = True,
) -> int:
    """Body of ``attnbench run``; returns the exit code.

    ``table``: show the results at the end; else what is printed goes to standard error.
    """
    folders = user_kernel_dirs(kernels)
    overrides, resume = split_resume(given)
    kept = [masked(override) for override in overrides]
    if cfg is not None:
        return _print_config(overrides, multirun, folders, cfg)
    if report is not None:
        from harness.cli.report import must_be_writable

        must_be_writable(report)
    console = progress_console()
    with plan_with_cluster(overrides, multirun, folders) as (planned, cluster):
        print_summary(planned, console)
        with open_store(planned.store.url, create=True) as store:
            revisions = {
                kernel.name: kernel_revision(kernel)
                for kernel in {job.kernel.name: job.kernel for job in planned.plan.jobs}.values()
            }
            if resume is None:
                sweep = _new_sweep(planned, kept, multirun, folders)
                store.start_sweep(sweep, skip_records(planned.plan, sweep))
                done: set[tuple[str, int]] = set()
                attempts: dict[tuple[str, int], int] = {}
            else:
                sweep, done = resumable_sweep(store, resume, kept, planned.plan, revisions)
                store.start_sweep(sweep)  # running again
                attempts = store.attempts(sweep.id)
            requests = requests_in_rounds(
                planned.plan.jobs, sweep.id, revisions, harness_commit(), done, attempts
            )
            outcome = Outcome()
            if requests:
                dispatcher = open_dispatcher(planned, cluster, store)
                skipped = len(planned.plan.skips)
                with (
                    EventLog(log, sweep.id) as events,
                    SweepProgress(len(requests), skipped, console) as progress,
                    stopping_on_signals(dispatcher) as stopped,
                    watched(store, sweep.id, dispatcher.stop),
                ):
                    events.say("sweep", name=sweep.name, command=sweep.command, jobs=len(requests))

                    def listen(event: Event) -> None:
                        progress.listen(event)
                        events.listen(event)

                    try:
                        outcome = run_sweep(
                            sweep,
                            requests,
                            store,
                            dispatcher,
                            listen,
                            progress.say,
                            fail_fast=planned.cluster.fail_fast,
                            stopped=stopped,
                        )
                    finally:
                        dispatcher.close()
            else:
                store.finish_sweep(sweep.id, "done")
        return _conclude(sweep, outcome, planned.store.url, store, report, table)


def _print_config(overrides: list[str], multirun: bool, folders: list[Path], cfg: str) -> int:
    from harness.errors import ConfigError

    if cfg != "job":
        raise ConfigError(f"--cfg {cfg}: only `--cfg job` is there")
    with plan_with_cluster(overrides, multirun, folders) as (planned, _):
        sys.stdout.write(masked(planned.config_yaml))
    return 0


def _new_sweep(
    planned: Planned, overrides: list[str], multirun: bool, folders: list[Path]
) -> Sweep:
    words = ["attnbench", "run"]
    words += ["-m"] if multirun else []
    words += [word for folder in folders for word in ("--kernels", str(folder))]
    plan = planned.plan
    return Sweep(
        id=new_sweep_id(),
        name=plan.name,
        command=shlex.join([*words, *overrides]),
        overrides=tuple(overrides),
        host=socket.gethostname(),
        harness=harness.__version__,
        jobs=len(plan.jobs),
        launches=plan.launches,
    )


@contextmanager
def stopping_on_signals(dispatcher: Dispatcher) -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM stop the dispatcher; a second Ctrl-C ends the process at once.

    Gives whether one came. A store that can't be reached then is no failure of the tool: the line
    is printed, and the process ends as interrupted.
    """
    came: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        came.append(number)
        dispatcher.stop()
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))

    before = {n: signal.signal(n, stop) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(came)
    except StoreError as error:
        if not came:
            raise
        print(f"attnbench: {masked(str(error))}", file=sys.stderr)
        raise KeyboardInterrupt from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _conclude(
    sweep: Sweep, outcome: Outcome, url: str, store: Store, report: Path | None, table: bool
) -> int:
    """The results table, where everything lies, and the exit code."""
    out = sys.stdout if table else sys.stderr
    if table:
        print_results({"sweep": sweep.id}, url)
    counts = ", ".join(f"{n} {status}" for status, n in sorted(outcome.counts.items()))
    print(f"\nsweep {sweep.id}: {counts or 'nothing left to run'}", file=out)
    print(f"results: {store.safe_url}", file=out)
    if report is not None:
        from harness.cli.report import write

        print(f"report:  {write(report, sweep.id, url)}", file=out)
    if outcome.failed_fast:
        print("stopped by cluster.fail_fast; with resume=true the rest is run", file=out)
        return 1
    if outcome.interrupted:
        print("interrupted: the same command with resume=true runs what is missing", file=out)
        return INTERRUPTED
    return 1 if outcome.failures else 0
