"""Request: one attempt at one job in one launch, as the driver hands it to a worker."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from harness.model import Job, Record, Revision, Status, failed


@dataclass(frozen=True)
class Request:
    """What a worker needs to measure once."""

    sweep_id: str
    """The sweep it belongs to."""
    job: Job
    """The cell to measure."""
    revision: Revision
    """The kernel's revision as the driver sees it; the worker's file must have the same hash."""
    launch: int = 0
    """Round of the sweep; a worker starts fresh processes for each."""
    attempt: int = 0
    """Attempt within the round."""
    harness_commit: str = ""
    """The harness's own commit."""

    def seeds(self) -> tuple[int, int]:
        """Seeds of the two sets of input values: that of the check before timing, and another.

        They depend on the problem and the launch, not on the kernel: kernels of one problem share
        their oracles, and no launch repeats another's values.
        """
        text = f"{self.job.problem.key}/{self.job.timing.seed}/{self.launch}"
        whole = hashlib.sha256(text.encode()).digest()
        return int.from_bytes(whole[:6]), int.from_bytes(whole[6:12])

    def failed(self, status: Status, reason: str, **more: Any) -> Record:
        """A record of this attempt that isn't ok."""
        more.setdefault("revision", self.revision)
        return failed(
            self.job,
            self.sweep_id,
            status,
            reason,
            launch=self.launch,
            attempt=self.attempt,
            **more,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; ``from_dict`` is the inverse."""
        return {
            "sweep_id": self.sweep_id,
            "job": self.job.to_dict(),
            "revision": self.revision.to_dict(),
            "launch": self.launch,
            "attempt": self.attempt,
            "harness_commit": self.harness_commit,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Request:
        """Inverse of ``to_dict``."""
        data = dict(data)
        data["job"] = Job.from_dict(data["job"])
        data["revision"] = Revision.from_dict(data["revision"])
        return cls(**data)
