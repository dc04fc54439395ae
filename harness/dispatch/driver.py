"""The driver: the only process that writes results. Each record is stored as it arrives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from harness.dispatch.base import Dispatcher, Event, Finished
from harness.dispatch.storing import Storing
from harness.errors import StoreError
from harness.measure.request import Request
from harness.model import Plan, Record, Status, Sweep, failed
from harness.store import Store

Listener = Callable[[Event], None]


BATCH = 256
"""Records of one transaction, where so many arrive at once."""


@dataclass
class Outcome:
    """How a sweep went."""

    counts: Counter[Status] = field(default_factory=Counter)
    """Final records stored by this run, by status."""
    interrupted: bool = False
    """It was stopped before every request had its record."""
    failed_fast: bool = False
    """It was stopped by the first failure, as asked for."""

    @property
    def failures(self) -> int:
        """Records that are neither ok nor skipped."""
        return sum(n for s, n in self.counts.items() if s not in (Status.OK, Status.SKIPPED))


def skip_records(plan: Plan, sweep: Sweep) -> list[Record]:
    """The plan's skips as records: a skip is a row, with its reason."""
    return [
        failed(skip.job, sweep.id, Status.SKIPPED, skip.reason, started_at=sweep.started_at)
        for skip in plan.skips
    ]


def run_sweep(
    sweep: Sweep,
    requests: Sequence[Request],
    store: Store,
    dispatcher: Dispatcher,
    listen: Listener,
    say: Callable[[str], None] = print,
    *,
    fail_fast: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Run ``requests`` of a sweep that the store has, storing each record as it arrives.

    ``listen`` hears every event after its record is stored; ``say`` gets a line where the store has
    to be waited for. The sweep is marked finished, or interrupted where records are missing
    (``dispatcher.stop`` was called) or an error came through. ``fail_fast``: the first failure
    stops it; a crash that is tried again is none yet. Once ``stopped`` says that someone stopped
    it, the store isn't waited for any more.

    Raises:
        StoreError: a record can't be stored (harness.dispatch.storing); the message says where it
            is kept. The sweep then stays marked as running, and can be resumed.
    """
    outcome = Outcome()
    storing = Storing(store, sweep.id, say, stopped=stopped)
    events = iter(dispatcher.run(requests))
    together: list[Finished] = []

    def keep() -> None:
        storing.append(*(one.record for one in together))
        for one in together:
            if one.final:
                outcome.counts[one.record.status] += 1
            listen(one)
        together.clear()
        if fail_fast and outcome.failures and not outcome.failed_fast:
            outcome.failed_fast = True
            dispatcher.stop()
            say("cluster.fail_fast: stopped by the first failure")

    try:
        for event in events:
            if not isinstance(event, Finished):
                listen(event)
                continue
            together.append(event)
            if not event.more or len(together) >= BATCH:
                keep()
        if together:
            keep()
    except StoreError:  # it would not take the sweep's state either
        if stopped():  # what was measured until then arrives still, and soon
            for event in events:
                if isinstance(event, Finished):
                    storing.keep(event.record)
        raise
    except BaseException:
        storing.finish("interrupted")
        raise
    outcome.interrupted = outcome.counts.total() < len(requests)
    storing.finish("interrupted" if outcome.interrupted else "done")
    return outcome
