"""Every claim against the evidence of one device."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from harness.analysis.claims import growth, memory, quality, speed
from harness.analysis.claims.claim import Basis, Claim, Finding, Verdict
from harness.analysis.claims.evidence import EXPERIMENT, Evidence, NotMeasured
from harness.analysis.peaks import find_gpu
from harness.model import Gpu

CLAIMS: tuple[Claim, ...] = (*growth.CLAIMS, *memory.CLAIMS, *speed.CLAIMS, *quality.CLAIMS)
"""All of them, in the order of a reader's questions."""


@dataclass(frozen=True)
class Judged:
    """A claim and what was found: arithmetic first, then what was measured."""

    claim: Claim
    findings: tuple[Finding, ...]


def evidence(frame: pd.DataFrame, gpus: Mapping[str, Gpu] | None = None) -> list[Evidence]:
    """From the frame of ``results``: of each device the newest sweep of the experiment ``claims``.

    Empty where there is none. ``gpus`` are the hardware facts, for claims that need peaks.
    """
    ours = frame[(frame["experiment"] == EXPERIMENT) & frame["device"].notna()]
    found = []
    for device, records in ours.groupby("device", sort=True):
        newest = records[records["sweep_id"] == records["sweep_id"].max()]
        kind, name = str(newest["device_kind"].iloc[0]), str(newest["gpu"].iloc[0])
        known = find_gpu(gpus, name, str(device), None) if kind != "cpu" else None
        found.append(Evidence(str(device), kind, newest, known))
    return found


def judge(seen: Evidence | None) -> list[Judged]:
    """Every claim; without evidence (None), by arithmetic alone."""
    return [Judged(claim, tuple(_findings(claim, seen))) for claim in CLAIMS]


def _findings(claim: Claim, seen: Evidence | None) -> list[Finding]:
    findings = [claim.arithmetic()] if claim.arithmetic else []
    if claim.measured is None:
        return findings
    if seen is None:
        return [*findings, Finding(Basis.NOT_MEASURED, Verdict.OPEN, "nothing measured yet")]
    try:
        found = claim.measured(seen)
    except NotMeasured as why:
        return [*findings, Finding(Basis.NOT_MEASURED, Verdict.OPEN, str(why))]
    if claim.chip and not re.search(claim.chip, seen.device):
        said_of = claim.chip.replace(r"\b", "").strip("()").replace("|", ", ")
        text = f"said of {said_of}; {seen.device} gives, without a verdict: {found.text}"
        found = replace(found, basis=Basis.NEEDS_GPU, verdict=Verdict.OPEN, text=text)
    return [*findings, found]
