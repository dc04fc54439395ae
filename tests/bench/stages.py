"""Where a job's time goes: exclusive time by stage, of the harness's own code in one process."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import perf_counter
from typing import Any
from unittest import mock

from harness.dispatch import inline
from harness.measure import binding, drawn, hygiene, job
from harness.operators import reference
from harness.store import Store

MEASURING, CHECKING, INPUTS, ORACLE, STORING, REST = (
    *("measuring", "checks", "inputs", "oracle", "storing", "the worker's rest"),
)


class Stages:
    """Seconds and calls of each stage; a stage inside another counts for itself alone."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._stack: list[str] = []
        self._since = perf_counter()

    def _charge(self) -> None:
        now = perf_counter()
        if self._stack:
            self.seconds[self._stack[-1]] += now - self._since
        self._since = now

    def of(self, stage: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """``call``, its time charged to ``stage``."""

        @functools.wraps(call)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._charge()
            self._stack.append(stage)
            self.calls[stage] += 1
            try:
                return call(*args, **kwargs)
            finally:
                self._charge()
                self._stack.pop()

        return timed


@contextmanager
def watching(operator: str) -> Iterator[Stages]:
    """Charge what the inline dispatcher and a store do to their stages."""
    stages, family = Stages(), reference(operator)
    parts: list[tuple[Any, str, str]] = [
        (inline, "run_job", REST),
        (inline, "judge", CHECKING),
        (job, "sample_series", MEASURING),
        (job, "_memory", MEASURING),
        (job, "_check_after", CHECKING),
        (job, "finished_outputs", CHECKING),
        (job, "kept_answers", CHECKING),
        (job, "must_be_unchanged", CHECKING),
        (job, "poison", CHECKING),
        (job, "snapshot", CHECKING),
        (hygiene, "snapshot", CHECKING),
        (hygiene, "differences", CHECKING),
        (binding.Binding, "call", MEASURING),
        (binding.Binding, "refresh", CHECKING),
        (drawn.DrawnInputs, "of", INPUTS),
        (family, "expected", ORACLE),
        (family, "select", CHECKING),
        (Store, "append", STORING),
        (Store, "append_many", STORING),
    ]
    with ExitStack() as patches:
        for where, name, stage in parts:
            watched = stages.of(stage, getattr(where, name))
            patches.enter_context(mock.patch.object(where, name, watched))
        yield stages
