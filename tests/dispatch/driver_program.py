"""A driver as a program of its own, to be killed: fake boards, a real cluster, a real store.

    python -m tests.dispatch.driver_program ADDRESS STORE SWEEP PROBLEMS

It starts the sweep, or goes on with it if the store has it, as ``resume=SWEEP`` does.
"""

from __future__ import annotations

import sys

from harness.config.catalog import gpus
from harness.dispatch import ray_dispatcher
from harness.dispatch.base import Event
from harness.dispatch.driver import run_sweep
from harness.dispatch.policy import RetryPolicy
from harness.dispatch.ray_cluster import RayCluster
from harness.dispatch.rounds import requests_in_rounds
from harness.errors import DispatchError
from harness.model import Job, Revision, Sweep
from harness.store import open_store
from tests.dispatch import matrix
from tests.dispatch.fake_worker import FakeWorker


def jobs_of(problems: int) -> list[Job]:
    """Each job once."""
    return list({r.job.key: r.job for r in matrix.requests(problems)}.values())


def main(address: str, url: str, sweep_id: str, problems: int) -> int:
    """The exit code."""
    ray_dispatcher.HEAD_GONE_S = 1.0
    jobs = jobs_of(problems)
    with open_store(url, create=True) as store:
        store.start_sweep(Sweep(sweep_id, jobs=len(jobs), launches=2, started_at="2026-01-01"))
        given = requests_in_rounds(
            jobs,
            sweep_id,
            {job.kernel.name: Revision("00" * 32) for job in jobs},
            "",
            store.finished(sweep_id),
            store.attempts(sweep_id),
        )
        print("connects", flush=True)
        dispatcher = ray_dispatcher.RayDispatcher(
            RayCluster(address, FakeWorker), gpus(), RetryPolicy(retries=1000), wait_s=60
        )

        def listen(event: Event) -> None:
            print(type(event).__name__, flush=True)

        try:
            outcome = run_sweep(Sweep(sweep_id), given, store, dispatcher, listen)
        except DispatchError as error:
            print(f"attnbench: {error}", flush=True)
            return 2
        finally:
            dispatcher.close()
    return 0 if not outcome.failures and not outcome.interrupted else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
