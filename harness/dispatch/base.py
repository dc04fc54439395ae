"""The dispatcher seam: requests in, events out.

A dispatcher may run requests in any order within a launch and on any device that is the GPU asked
for, but never two at a time on one device; what a device was given of a launch it measures before
the next launch. It yields exactly one final Finished for every request it was given, unless
``stop`` is called, and before it one that isn't final for each attempt that crashed and is tried
again; an exception out of ``run`` means that the dispatcher itself failed. A loss leaves no record
until retries end: the attempt in the record counts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
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
    final: bool = True
    """Another attempt follows where it isn't."""
    more: bool = False
    """Another Finished is at hand already and comes next: they may be stored together."""


Event = Started | Finished


def together(ended: Sequence[Finished]) -> Iterator[Finished]:
    """All of ``ended``; each but the last says that more are at hand."""
    for number, one in enumerate(ended, 1):
        yield replace(one, more=number < len(ended))


class Dispatcher(Protocol):
    """Runs requests on devices."""

    def run(self, requests: Sequence[Request]) -> Iterator[Event]:
        """Run all requests; the events come as they happen. Raises DispatchError."""

    def stop(self) -> None:
        """Start nothing further and end what runs; ``run`` returns soon after. Signal-safe."""

    def close(self) -> None:
        """End every process it started."""
