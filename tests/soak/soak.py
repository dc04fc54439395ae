"""Random kills of a real sweep on a real Ray cluster, and whether anything was lost or doubled.

Actors and the driver die by SIGKILL, nodes with everything on them; a killed driver is started
again and goes on with the sweep, a killed node is followed by another. Only the boards are fake
(tests/dispatch/fake_worker.py).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ray.cluster_utils import Cluster

from harness.model import Record, Status
from harness.store import open_store
from tests.dispatch import fake_cluster
from tests.dispatch.driver_program import jobs_of

ROOT = Path(__file__).parents[2]
DRIVER_S = 120.0
"""A driver that finishes nothing for so long has got stuck."""


class Soak:
    """A store, and sweeps on a cluster that are never left in peace."""

    def __init__(
        self,
        cluster: Cluster,
        nodes: list[Any],
        folder: Path,
        *,
        seed: int,
        problems: int,
        say: Callable[[str], None],
    ) -> None:
        """``nodes`` are those that may be killed; another takes the place of each."""
        self._draw = random.Random(seed)
        self._say = say
        self._problems = problems
        self.url = str(folder / "soak.db")
        self.killed: Counter[str] = Counter()
        self._cluster, self._nodes = cluster, nodes
        self._sweeps = 0
        self._driver: subprocess.Popen[bytes] | None = None

    def run(self, kills: int) -> None:
        """Kill until ``kills`` have found their victim, then let the last sweep end in peace."""
        try:
            while self.killed.total() < kills:
                if self._driver is None or self._driver.poll() is not None:
                    self._start()
                time.sleep(self._draw.uniform(0.05, 1.5))
                how = self._draw.choices(("actor", "driver", "node"), (7, 2, 1))[0]
                if getattr(self, f"_kill_{how}")():
                    self.killed[how] += 1
                    self._say(f"{self.killed.total()}: {how} killed")
            while self._driver is None or self._driver.poll() != 0:
                if self._driver is None or self._driver.poll() is not None:
                    self._start()
                assert self._driver is not None
                self._driver.wait(timeout=DRIVER_S)
        finally:
            if self._driver is not None:
                self._driver.kill()
                self._driver.wait()

    def _start(self) -> None:
        """A driver: on the sweep that isn't done, or on the next one."""
        if (self._driver is not None and self._driver.returncode == 0) or not self._sweeps:
            self._sweeps += 1
        words = [self._cluster.address, self.url, f"soak-{self._sweeps}", str(self._problems)]
        log = Path(self.url).with_suffix(".log").open("ab")
        self._driver = subprocess.Popen(
            [sys.executable, "-m", "tests.dispatch.driver_program", *words],
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
        log.close()

    def _kill_driver(self) -> bool:
        if self._driver is None or self._driver.poll() is not None:
            return False
        self._driver.kill()
        self._driver.wait()
        return True

    def _kill_actor(self) -> bool:
        began = time.monotonic()
        while not (actors := fake_cluster.actors()):
            if self._driver is None or self._driver.poll() is not None:
                return False
            assert time.monotonic() - began < DRIVER_S, "the driver starts no worker"
            time.sleep(0.1)
        with suppress(ProcessLookupError):
            os.kill(self._draw.choice(actors), signal.SIGKILL)
            return True
        return False

    def _kill_node(self) -> bool:
        node = self._nodes.pop(self._draw.randrange(len(self._nodes)))
        self._cluster.remove_node(node, allow_graceful=False)
        self._nodes.append(fake_cluster.add(self._cluster, 2))
        return True

    def faults(self) -> list[str]:
        """What is lost or doubled, in words; nothing if all is well."""
        found = []
        jobs = {job.key for job in jobs_of(self._problems)}
        wanted = {(key, launch) for key in jobs for launch in range(2)}
        with open_store(self.url, read_only=True) as store:
            for number in range(1, self._sweeps + 1):
                sweep_id = f"soak-{number}"
                records = list(store.records(sweep_id=sweep_id))
                found += [f"{sweep_id}: {fault}" for fault in _faults(records, wanted)]
                if store.sweep(sweep_id).state != "done":
                    found.append(f"{sweep_id}: its state is {store.sweep(sweep_id).state}")
        return found


def _faults(records: list[Record], wanted: set[tuple[str, int]]) -> list[str]:
    stored = Counter((record.job_key, record.launch) for record in records)
    found = [f"{len(wanted - set(stored))} jobs lost"] if wanted - set(stored) else []
    found += [f"{place} is stored {n} times" for place, n in stored.items() if n > 1]
    found += [f"{place} was never planned" for place in set(stored) - wanted]
    found += [f"{r.job_key} is {r.status}" for r in records if r.status is not Status.OK]
    return found
