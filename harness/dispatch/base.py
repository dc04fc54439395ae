"""The dispatcher seam: requests in, events out.

A dispatcher may run requests in any order within a launch and on any device that is the GPU asked
for, but never two at a time on one device, and never a launch's request before that GPU's earlier
launches are through. It yields exactly one Finished for every request it was given, unless
``stop`` is called; an exception out of ``run`` means that the dispatcher itself failed. Retries of
lost requests are its own affair: the attempt in the record counts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.measure.request import Request
from harness.model import Record


@dataclass(frozen=True)
class Started:
    """A worker has taken a request in hand."""

    request: Request
    worker: str
    """Which one, for people."""


@dataclass(frozen=True)
class Finished:
    """A request has its record."""

    request: Request
    record: Record


Event = Started | Finished


class Dispatcher(Protocol):
    """Runs requests on devices."""

    def run(self, requests: Sequence[Request]) -> Iterator[Event]:
        """Run all requests; the events come as they happen. Raises DispatchError."""

    def stop(self) -> None:
        """Start nothing further and end what runs; ``run`` returns soon after. Signal-safe."""

    def close(self) -> None:
        """End every process it started."""
