"""``gate --confirm`` for real: a regression of the code stays, a false alarm goes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.measure import revision
from harness.model import new_sweep_id
from harness.store import open_store
from tests.cli.conftest import TINY
from tests.cli.test_bisect import attnbench, git, repository

__all__ = ["repository"]

GATE = ["gate", "last~1", "--set", "metrics.latency_ms=0.99", "--set", "metrics.max_error=0.5"]
CONFIRM = ["--confirm", "--cluster", "inline", "--launches", "3"]


def run(root: Path, commit: str) -> None:
    git(root, "checkout", "-q", commit)
    revision._head.cache_clear()  # the repository's head was asked for in this process before
    cell = [*TINY, "kernel=mine", "workload.seq_len=32", "workload.causal=false"]
    done = attnbench(
        "run", "--kernels", str(root / "mine"), *cell, "timing.launches=3", "cluster=inline"
    )
    assert done.exit_code == 0, done.output


def test_a_regression_of_the_code_is_confirmed_and_a_false_alarm_is_not(
    repository: tuple[Path, dict[str, str]],
) -> None:
    """By errors, which a loaded machine leaves as they are."""
    root, commits = repository
    run(root, commits["exact"])
    run(root, commits["rounds"])
    done = attnbench(*GATE, *CONFIRM)
    assert done.exit_code == 1, done.output
    assert "confirmed by 3 launches in turns with the baseline's version" in done.stdout
    # A sweep of the same code whose errors were planted: measured again, they are as before.
    with open_store("results/attnbench.db") as store:
        rounds = store.sweep(max(sweep.id for sweep in store.sweeps()))
        planted = new_sweep_id()
        records = list(store.records(rounds.id))
        at = "2099-01-01T00:00:00.000000+00:00"
        store.start_sweep(replace(rounds, id=planted, started_at=at))
        for one in records:
            assert one.accuracy is not None
            worse = replace(one.accuracy, max_error=one.accuracy.max_error * 3)
            store.append(replace(one, sweep_id=planted, accuracy=worse))
    assert attnbench(*GATE).exit_code == 1
    done = attnbench(*GATE, *CONFIRM)
    assert done.exit_code in (0, 3), done.output
    assert "max_error | mine" not in done.stdout.partition("**open**")[0]
