"""Record: one attempt at one job in one launch, as it is stored for ever."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cached_property
from json.encoder import encode_basestring_ascii
from typing import Any

from harness.model.environment import Device, Environment, Revision
from harness.model.identity import (
    canonical_json,
    cell_key,
    digest,
    noun_text,
    numbers_text,
    scalar_text,
    text_digest,
)
from harness.model.interval import median, median_interval
from harness.model.kernel import Kernel
from harness.model.plan import Job
from harness.model.problem import Problem
from harness.model.summary import Summary
from harness.model.timing import Timing


class Status(StrEnum):
    """How an attempt ended. Only ``ok`` carries a speed."""

    OK = "ok"
    """Measured, and right before and after."""
    SKIPPED = "skipped"
    """Not supported, or not available here; the reason says which."""
    INCORRECT = "incorrect"
    """Its output was wrong."""
    INVALID = "invalid"
    """It tampered: changed its inputs, the timer or the process's state."""
    OUT_OF_MEMORY = "out_of_memory"
    """The device's or the host's memory didn't suffice."""
    TIMEOUT = "timeout"
    """It took longer than ``timing.timeout_s`` and was killed."""
    ERROR = "error"
    """It raised."""
    CRASHED = "crashed"
    """Its process died: a segfault, an abort, ``os._exit``."""
    LOST = "lost"
    """Its worker or node was lost, and retries have ended."""


RETRIED = "retried"
"""Flag of an attempt that another one follows: of itself it doesn't end its launch."""


@dataclass(frozen=True)
class Accuracy:
    """Errors of a kernel against the fp64 oracle; of its worst output where there are several."""

    max_error: float
    """max |out − oracle|."""
    rmse_ratio: float
    """RMSE of the error over RMS of the oracle."""
    cosine: float
    """Cosine between the output and the oracle, both flattened."""
    baseline_max_error: float | None = None
    """max |low-precision torch − oracle| on the same inputs: what rounding alone costs."""
    gate: str = ""
    """The rule that decided, with its bound, e.g. ``max_error ≤ 3.1e-03``."""
    checked_share: float = 1.0
    """Share of the outputs that were compared (a sample where the whole oracle doesn't fit)."""


@dataclass(frozen=True)
class Memory:
    """Memory of one call over its inputs. None: could not be measured here."""

    peak_bytes: int | None = None
    """Peak that the call added to what its inputs take."""
    source: str = ""
    """What measured it: torch's allocator, or the process's resident set."""


@dataclass(frozen=True)
class Record:
    """One attempt at one job in one launch. Immutable; statistics are derived from it later.

    An inconsistent one can't be built: samples come with status ok and with nothing else, and ok
    comes with samples and an accuracy.
    """

    sweep_id: str
    """The sweep it belongs to."""
    kernel: Kernel
    """The implementation (without its limits)."""
    problem: Problem
    """What it computed."""
    gpu: str
    """Name of the GPU asked for."""
    timing: Timing
    """How it was measured."""
    status: Status
    """How it ended."""
    launch: int = 0
    """Round of the sweep, from 0."""
    attempt: int = 0
    """Attempt within the round, from 0, assigned by the driver."""
    reason: str = ""
    """Why it isn't ok, in words; "" for ok."""
    log: str = ""
    """The end of what the kernel printed, or its traceback."""
    workload: str = ""
    """Label: the workload config."""
    experiment: str = ""
    """Label: the experiment."""
    device: Device | None = None
    """What it ran on; None where it never reached a device."""
    environment: Environment | None = None
    """Software it ran with."""
    revision: Revision | None = None
    """Version of the kernel."""
    samples_ms: tuple[float, ...] = ()
    """Time of one call, ms, every sample in the order measured."""
    calls_per_sample: int = 1
    """Calls that each sample is the mean of."""
    stop_reason: str = ""
    """Which rule ended the sampling."""
    setup_ms: float | None = None
    """``build``: plans, page tables, compilation that it does."""
    first_call_ms: float | None = None
    """The first call: lazy compilation and autotuning land here."""
    warmup_calls: int = 0
    """Calls made to warm up, after the first."""
    accuracy: Accuracy | None = None
    """Errors against the oracle, the worse of before and after timing."""
    memory: Memory | None = None
    """Peak memory of a call."""
    flops: int | None = None
    """Floating-point operations of the problem (not of the implementation)."""
    min_bytes: int | None = None
    """Least bytes the problem must move."""
    cost_model: str = ""
    """Which formulas counted flops and min_bytes, e.g. ``attention/1``."""
    flags: tuple[str, ...] = ()
    """Remarks on the quality of the measurement, e.g. ``bimodal``."""
    conditions: tuple[tuple[str, float | str], ...] = ()
    """What was read off the device beside the samples: clocks, power, energy …, sorted by name."""
    started_at: str = ""
    """ISO 8601 UTC with microseconds."""
    duration_s: float = 0.0
    """The whole job, set-up and checks included, s."""
    summary: Summary | None = None
    """What stays of pruned samples; None while the samples are there."""

    def __post_init__(self) -> None:
        if self.status is Status.OK:
            if (not self.samples_ms and self.summary is None) or self.accuracy is None:
                raise ValueError("an ok record carries samples and an accuracy")
            if self.samples_ms and self.summary is not None:
                raise ValueError("a record carries samples or, once pruned, their summary")
            if not all(s > 0 for s in self.samples_ms):
                raise ValueError("a sample must be a positive time")
        elif self.samples_ms or self.summary is not None:
            raise ValueError(f"a record with status {self.status} can't carry samples")
        elif not self.reason:
            raise ValueError(f"a record with status {self.status} needs a reason")
        if "\0" in self.reason or "\0" in self.log:
            raise ValueError("text with NUL can't be stored: replace it before building the record")

    @cached_property
    def job_key(self) -> str:
        """Key of the job this is an attempt at."""
        return cell_key(self.kernel.id, self.problem.key, "gpu", self.gpu, self.timing.mode)

    @cached_property
    def series_key(self) -> str | None:
        """Key of the series it continues; None where it never reached a device."""
        if self.device is None:
            return None
        model = self.device.model
        return cell_key(self.kernel.id, self.problem.key, "device", model, self.timing.mode)

    @cached_property
    def key(self) -> str:
        """Identity of the attempt: sweep, job, launch, attempt."""
        return digest([self.sweep_id, self.job_key, self.launch, self.attempt])

    @cached_property
    def content_key(self) -> str:
        """Hash of everything it says; two deliveries of one record share it, a pruned one too."""
        if self.summary is not None:
            return self.summary.content_key
        return text_digest(self.text())

    def text(self) -> str:
        """The canonical JSON of ``to_dict``, put together from parts: a fifth of its time.

        Raises ValueError or TypeError where JSON can't say it.
        """
        facts = self.__dict__
        parts = []
        for name in _NAMES:
            value = facts[name]
            kind = type(value)
            if name == "summary":
                if value is None:  # as ``to_dict``: named only where there is one
                    continue
                text = canonical_json(vars(value))
            elif kind is str:
                text = encode_basestring_ascii(value)
            elif value is None:
                text = "null"
            elif kind is int:
                text = repr(value)
            elif name in _NOUNS:
                text = noun_text(value)
            elif name == "samples_ms":
                text = numbers_text(value)
            elif kind is float:
                text = scalar_text(value)
            elif name in ("accuracy", "memory"):
                members = vars(value)
                text = ",".join(f'"{n}":{scalar_text(members[n])}' for n in sorted(members))
                text = f"{{{text}}}"
            else:
                text = canonical_json(dict(value) if name == "conditions" else value)
            parts.append(f'"{name}":{text}')
        return f"{{{','.join(parts)}}}"

    @property
    def median_ms(self) -> float | None:
        """Median time of a call, ms; None unless ok."""
        if self.summary is not None:
            return self.summary.median_ms
        return median(self.samples_ms) if self.samples_ms else None

    @property
    def sample_count(self) -> int:
        """How many samples were measured, pruned ones too."""
        return self.summary.sample_count if self.summary is not None else len(self.samples_ms)

    @property
    def interval_ms(self) -> tuple[float, float] | None:
        """95 % interval of the median within this launch, ms; None below 6 samples."""
        if self.summary is not None:
            low, high = self.summary.low_ms, self.summary.high_ms
            return None if low is None or high is None else (low, high)
        return median_interval(self.samples_ms)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; ``from_dict`` is the inverse."""
        out: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in ("kernel", "problem", "timing", "device", "environment", "revision"):
            out[name] = out[name].to_dict() if out[name] is not None else None
        for name in ("accuracy", "memory"):
            if out[name] is not None:
                out[name] = dict(vars(out[name]))  # flat; asdict takes ten times as long
        out["status"] = str(self.status)
        out["samples_ms"] = list(self.samples_ms)
        out["flags"] = list(self.flags)
        out["conditions"] = dict(self.conditions)
        # Only where there is one, so that the hash of every other record stays what it was.
        del out["summary"]
        if self.summary is not None:
            out["summary"] = dict(vars(self.summary))
        return out

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Record:
        """Inverse of ``to_dict``. Raises ValueError or TypeError where it isn't a record."""
        d = dict(data)
        nouns: dict[str, Callable[[dict[str, Any]], Any]] = {
            "kernel": Kernel.from_dict,
            "problem": Problem.from_dict,
            "timing": Timing.from_dict,
            "device": Device.from_dict,
            "environment": Environment.from_dict,
            "revision": Revision.from_dict,
            "accuracy": lambda v: Accuracy(**v),
            "memory": lambda v: Memory(**v),
            "summary": lambda v: Summary(**v),
        }
        for name, build in nouns.items():
            if d.get(name) is not None:
                d[name] = build(d[name])
        d["status"] = Status(d["status"])
        d["samples_ms"] = tuple(d.get("samples_ms", ()))
        d["flags"] = tuple(d.get("flags", ()))
        d["conditions"] = tuple(sorted((d.get("conditions") or {}).items()))
        return cls(**d)


_NAMES = sorted(Record.__dataclass_fields__)
_NOUNS = ("kernel", "problem", "timing", "device", "environment", "revision")


def failed(job: Job, sweep_id: str, status: Status, reason: str, **more: Any) -> Record:
    """A record of ``job`` that isn't ok; ``more`` are further Record fields."""
    return Record(
        sweep_id=sweep_id,
        kernel=job.kernel,
        problem=job.problem,
        gpu=job.gpu.name,
        timing=job.timing,
        status=status,
        reason=reason,
        workload=job.workload,
        experiment=job.experiment,
        **more,
    )
