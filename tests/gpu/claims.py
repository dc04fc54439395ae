"""Every kernel that claims this GPU held to every claim, a line of JSON as each is done.

Claims go round the kernels, bf16 forward first, so that the first results cover the most. Started
again, it tries what is missing: a line stands for one source of one kernel on one device and torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import torch

from harness.config.catalog import kernels
from harness.errors import KernelError
from harness.measure.loader import kernel_path, source_hash
from harness.measure.source import source_error
from harness.measure.suite import tried_claim
from harness.measure.trials import Trials
from harness.model import Gpu, Kernel
from harness.operators.cases import claims

FIRST = (("bf16", "forward"), ("fp16", "forward"), ("bf16", "forward_backward"))
"""What people ask for first; the other claims follow in their yaml's order."""


@dataclass(frozen=True)
class Row:
    """How one claim ended."""

    kernel: str
    operator: str
    source: str
    """sha256 of the kernel's file."""
    gpu: str
    torch: str
    dtype: str
    direction: str
    status: str
    """passed, failed, refused (in every case), or absent: its packages aren't installed."""
    passed: int = 0
    """Cases."""
    failed: int = 0
    max_error: float = 0.0
    """Largest error against the fp64 oracle, of the cases that passed."""
    strain: float = 0.0
    """Largest share of the allowed error that was used."""
    reason: str = ""
    seconds: float = 0.0

    @property
    def key(self) -> tuple[str, ...]:
        """What a line stands for."""
        return (self.kernel, self.source, self.gpu, self.torch, self.dtype, self.direction)


def asked(gpu: Gpu, only: Sequence[str] = ()) -> list[tuple[Kernel, str, str]]:
    """(kernel, dtype, direction) of everything claimed on ``gpu``, in the order to try it."""
    found = [k for k in kernels().values() if not only or k.name in only]
    fitting = [
        k
        for k in found
        if (limits := dict(k.limits).get(gpu.kind)) and limits.device_refusal(gpu) is None
    ]
    rounds: dict[int, list[tuple[Kernel, str, str]]] = {}
    for kernel in fitting:
        made = claims(kernel, gpu.kind)
        ordered = [c for c in FIRST if c in made] + [c for c in made if c not in FIRST]
        for turn, (dtype, direction) in enumerate(ordered):
            rounds.setdefault(turn, []).append((kernel, dtype, direction))
    return [claim for turn in sorted(rounds) for claim in rounds[turn]]


def check_claims(
    gpu: Gpu, wanted: Iterable[tuple[Kernel, str, str]], out: Path, until: float
) -> tuple[list[Row], int]:
    """Try what ``out`` lacks: the rows of everything wanted, and how many the time left over.

    ``until`` is a time of ``monotonic``; a claim begun before it is finished.
    """
    known = {row.key: row for row in read(out)}
    rows, left = [], 0
    with Trials(gpu.kind) as trials, out.open("a") as file:
        for kernel, dtype, direction in wanted:
            about = _about(kernel, gpu, dtype, direction)
            row = known.get(Row(**about, status="").key)
            if row is None:
                if monotonic() >= until:
                    left += 1
                    continue
                row = _tried(kernel, gpu, about, trials)
                file.write(json.dumps(asdict(row)) + "\n")
                file.flush()
                print(f"{kernel.name} {dtype} {direction}: {row.status} {row.reason}", flush=True)
            rows.append(row)
    return rows, left


def read(out: Path) -> list[Row]:
    """The rows in a file; half a line at its end, of a check that was killed, is cut off."""
    if not out.exists():
        return []
    text = out.read_text()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        out.write_text(whole)
    return [Row(**json.loads(line)) for line in whole.splitlines()]


def _about(kernel: Kernel, gpu: Gpu, dtype: str, direction: str) -> dict[str, Any]:
    path = kernel_path(kernel)
    return {
        **{"kernel": kernel.name, "operator": kernel.operator, "gpu": gpu.name},
        **{"source": source_hash(path), "torch": torch.__version__},
        **{"dtype": dtype, "direction": direction},
    }


def _tried(kernel: Kernel, gpu: Gpu, about: dict[str, Any], trials: Trials) -> Row:
    if kernel.lacking:
        return Row(**about, status="absent", reason=f"needs {', '.join(kernel.lacking)}")
    if (broken := source_error(kernel)) is not None:
        return Row(**about, status="failed", reason=broken)
    began = monotonic()
    try:
        claim = tried_claim(kernel, gpu, about["dtype"], about["direction"], trials)
    except KernelError as error:
        return Row(**about, status="failed", reason=str(error), seconds=monotonic() - began)
    passed, faults, refused = claim.of("passed"), claim.faults(), claim.of("refused")
    status = "failed" if faults else "passed" if passed else "refused"
    reasons = faults or sorted({o.reason for _, o in refused} if not passed else set())
    return Row(
        **about,
        status=status,
        passed=len(passed),
        failed=len(faults),
        max_error=max((o.max_error for _, o in passed), default=0.0),
        strain=max((o.strain for _, o in passed), default=0.0),
        reason="; ".join(reasons[:3]),
        seconds=round(monotonic() - began, 2),
    )
