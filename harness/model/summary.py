"""Summary: what stays of a record whose raw samples were pruned."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Summary:
    """The samples' statistics, computed when there were samples, and the hash of what was there."""

    sample_count: int
    """How many samples there were."""
    median_ms: float
    """Their median, ms."""
    content_key: str
    """``Record.content_key`` before pruning: the record with its samples is still the same one."""
    low_ms: float | None = None
    """Lower end of the 95 % interval of the median, ms; None below 6 samples."""
    high_ms: float | None = None
    """Upper end, ms."""
