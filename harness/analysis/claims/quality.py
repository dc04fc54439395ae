"""Claims on what is computed, not how fast."""

from __future__ import annotations

import math

import numpy as np

from harness.analysis.claims.claim import Basis, Claim, Finding, Verdict, within
from harness.analysis.claims.evidence import Evidence, NotMeasured
from harness.analysis.claims.growth import FULL

SAME = 2.0
"""flash-attention's own rule: an error of up to twice plain torch's is rounding (FIELD.md §6)."""
MOVED = 1.1
"""Errors that differ by less are called the same, as for the metric."""
DRAWS, REPEATS = 4096, 10


def _equal_here(seen: Evidence) -> Finding:
    errors = seen.errors(**FULL)
    if not {"eager", "sdpa_flash"} <= errors.keys():
        raise NotMeasured("eager and sdpa_flash have no error in common")
    naive, flash = errors["eager"], errors["sdpa_flash"]
    ratio = flash / naive
    verdict = Verdict.HOLDS if ratio <= SAME else Verdict.FAILS
    text = (
        f"largest error against fp64, in fp32: eager {naive:.2g}, sdpa_flash {flash:.2g}; equal to "
        "rounding, not bit for bit"
    )
    return Finding(Basis.MEASURED, verdict, text, ratio, unit="×")


def _backends_here(seen: Evidence) -> Finding:
    errors = seen.errors(dtype="bf16", workload="gpt2", direction="forward")
    if len(errors) < 2:
        raise NotMeasured("fewer than two backends in bf16")
    worst, best = max(errors, key=errors.__getitem__), min(errors, key=errors.__getitem__)
    ratio = errors[worst] / errors[best]
    verdict = Verdict.HOLDS if ratio >= MOVED else Verdict.FAILS
    text = (
        f"{len(errors)} backends on the same inputs in bf16: largest error from {errors[best]:.2g} "
        f"({best}) to {errors[worst]:.2g} ({worst}), {ratio:.3g}×; none says so by itself"
    )
    return Finding(Basis.MEASURED, verdict, text, ratio, unit="×")


def score_variance(dim: int, repeats: int = REPEATS) -> np.ndarray:
    """Variances of q·k/√dim for standard normal q and k, ``repeats`` times over DRAWS pairs."""
    random = np.random.default_rng(0)
    q, k = (random.standard_normal((repeats, DRAWS, dim)) for _ in range(2))
    return np.asarray(((q * k).sum(-1) / math.sqrt(dim)).var(axis=1, ddof=1))


def _sqrt_here(seen: Evidence) -> Finding:
    del seen  # the same on every device
    values = score_variance(128)
    half = 2.262 * values.std(ddof=1) / math.sqrt(len(values))  # Student's t, 9 degrees of freedom
    mean = float(values.mean())
    return within("variance of q·k/√128", mean, mean - half, mean + half, 0.95, 1.05, unit="")


CLAIMS = [
    Claim(
        "flash_is_exact",
        "FlashAttention's output is that of naive attention.",
        "largest error of each against fp64",
        None,
        _equal_here,
    ),
    Claim(
        "backends_differ_silently",
        "Switching attention backends changes quality silently.",
        "error of every backend against fp64",
        None,
        _backends_here,
    ),
    Claim(
        "sqrt_d_keeps_variance",
        "Dividing by √d keeps the scores' variance at 1.",
        "var(q·k/√d) of standard normal q and k",
        None,
        _sqrt_here,
    ),
]
