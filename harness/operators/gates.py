"""Is an output right? numpy only, so the judge needs no torch.

The rule for attention is FlashAttention's (tests/test_flash_attn.py): max|out − oracle| at most
twice what plain torch in the same precision errs by, plus a slack. Alone it is blind at long
lengths: a causal output's first rows are about 1 and set the bound, its last rows are about
1/√n, so zeros in the last tile pass. So each row is held to the same rule on its own scale too:
the RMS of the terms it sums, which is what rounding noise is proportional to.

Both look at the size of errors, under which a wrong factor hides: 1 % is less than a bf16 output
may err by anywhere. But rounding has no common direction. So the output is also regressed on the
oracle's, each row over its own scale: the slope may differ from 1 by what rounding could do to
every element at once, plus GAIN_DEVIATIONS of its own standard error, estimated from the errors as
they are (White 1980, the heteroskedasticity-consistent one), so that few
elements prove nothing.
Plain torch in the same precision may have such a slope too, where weights too small for the dtype
are cut to 0 in whole rows of dv, or rows that sum one term have its error all over: twice its slope
is allowed as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.model import Accuracy, Problem
from harness.operators.base import QUANTISED_GATE, Expected

UNIT_ROUNDOFF = {"fp64": 2.0**-53, "fp32": 2.0**-24, "fp16": 2.0**-11, "bf16": 2.0**-8}
"""Half the distance from 1 to the next number of the dtype."""
SLACK = {"fp64": 256.0, "fp32": 16.0, "fp16": 4.0, "bf16": 4.0}
"""Unit roundoffs allowed beyond twice the baseline. Wide types need more: the baseline may be
exact there (fp64's is the oracle itself), and exp and long sums cost several ulps."""
ACCUMULATORS = {"fp64": "fp64"}
"""What sums are kept in where it isn't fp32."""
FACTOR = 2.0
"""How many times the baseline's error a kernel may err."""

GAIN_SLACK = 1.0
"""Unit roundoffs the gain may be off by: of fp16 in wider types too, as tf32 kernels round so."""
GAIN_DEVIATIONS = 4.0
"""Standard errors of the gain beyond that."""

HUGE = 1e100
"""What garbage is cut to, so that its square and every figure of it stays finite."""

Array = NDArray[Any]


@dataclass(frozen=True)
class Judgement:
    """What the gates say of one kernel's outputs."""

    accuracy: Accuracy | None
    """Errors of the worst output; None where nothing could be compared."""
    ok: bool
    """Every output passed every rule."""
    reason: str
    """Which output failed, by how much, and the bound; "" where ok."""
    strain: float = 0.0
    """The figure nearest to its bound (or furthest above it) over that bound."""


@dataclass(frozen=True)
class _Check:
    """One rule on one output: ``value`` may be at most ``bound``."""

    output: str
    rule: str
    value: float
    bound: float
    note: str = ""

    @property
    def ok(self) -> bool:
        return self.value <= self.bound

    @property
    def strain(self) -> float:
        """Value over bound: orders checks from harmless to worst, and never NaN."""
        if self.value == 0:
            return 0.0
        return self.value / self.bound if self.bound > 0 else np.inf


def judge(
    problem: Problem, expected: Expected, selected: dict[str, Array], *, quantised: bool = False
) -> Judgement:
    """Hold ``selected`` (of ``Reference.select``) against ``expected``; never raises for values.

    ``quantised``: of a kernel that multiplies in 8 bits, which a quantised cache's gate decides.
    """
    if quantised:
        expected = replace(expected, gate=QUANTISED_GATE)
    checks: list[_Check] = []
    measures: dict[str, tuple[float, float, float]] = {}
    for name, right in expected.outputs.items():
        got = selected.get(name)
        if got is None or got.shape != right.shape:
            has = "is missing" if got is None else f"has shape {got.shape}, not {right.shape}"
            return Judgement(None, False, f"{name} {has}")
        if not np.isfinite(got).all():
            return Judgement(None, False, f"{name} holds NaN or infinite values")
        error = np.clip(got.astype(np.float64), -HUGE, HUGE) - right
        measures[name] = _measures(problem, expected, name, right, error)
        checks += _checks(problem, expected, name, error, measures[name])
        checks += _gain_checks(problem, expected, name, right, error)
    worst = max(checks, key=lambda c: c.strain)
    max_error, rmse_ratio, cosine = measures[worst.output]
    accuracy = Accuracy(
        max_error=max_error,
        rmse_ratio=rmse_ratio,
        cosine=cosine,
        baseline_max_error=expected.baseline_max_error.get(worst.output),
        gate=f"{worst.rule} ≤ {worst.bound:.1e}",
        checked_share=expected.share,
    )
    reason = ""
    if not worst.ok:
        reason = (
            f"{worst.output}: {worst.rule} {worst.value:.3g} above {worst.bound:.3g}{worst.note}"
        )
    return Judgement(accuracy, worst.ok, reason, worst.strain)


def _measures(
    problem: Problem, expected: Expected, name: str, right: Array, error: Array
) -> tuple[float, float, float]:
    """(max error, RMSE ratio, cosine), finite always.

    A reference that is 0 but for rounding (the gradient of a softmax over one key) has no RMS to
    divide by: one unit roundoff of its rows' natural scale stands in.
    """
    noise = 0.0
    if name in expected.row_scale:
        rows = expected.row_scale[name]
        noise = UNIT_ROUNDOFF.get(problem.dtype, 0.0) * _rms(rows)
    rms = max(_rms(right), noise)
    ratio = _rms(error) / rms if rms > 0 else float(_rms(error) > 0)
    got = right + error
    # sums, not BLAS: its threads cost milliseconds where a machine is busy
    lengths = float(np.sqrt(np.square(got).sum()) * np.sqrt(np.square(right).sum()))
    if lengths > 0:
        cosine = min(1.0, max(-1.0, float((got * right).sum()) / lengths))
    else:
        cosine = float(not got.any() and not right.any())
    return float(np.abs(error).max()), ratio, cosine


def _checks(
    problem: Problem,
    expected: Expected,
    name: str,
    error: Array,
    measures: tuple[float, float, float],
) -> list[_Check]:
    """Every rule that applies to one output."""
    max_error, rmse_ratio, cosine = measures
    gate, scale = expected.gate, expected.row_scale.get(name)
    unit = _slack(problem)
    if gate.kind == "max_error":
        baseline = expected.baseline_max_error[name]
        slack = unit * (float(scale.max()) if scale is not None else 1.0)
        note = f" ({FACTOR:g} × low-precision torch's {baseline:.3g} + {slack:.2g})"
        checks = [_Check(name, "max_error", max_error, FACTOR * baseline + slack, note)]
    elif gate.kind == "rmse_ratio":
        assert gate.bound is not None
        checks = [_Check(name, "rmse_ratio", rmse_ratio, gate.bound)]
    else:
        assert gate.bound is not None
        # cosine doesn't see a wrong factor: the RMSE that the angle alone allows is held too
        angle = 2 * float(np.sqrt(2 * (1 - gate.bound)))
        checks = [
            _Check(name, "1 − cosine", 1 - cosine, 1 - gate.bound),
            _Check(name, "rmse_ratio", rmse_ratio, angle),
        ]
    if scale is not None:
        checks += _row_checks(expected, name, error, scale, unit)
    return checks


def _slack(problem: Problem) -> float:
    """What is allowed beyond the baseline, over a row's scale: roundings, and one long sum.

    A kernel may add up the terms of its longest sum one after the other, which errs by the
    accumulator's roundoff times √terms (Higham and Mary 2019, SIAM J. Sci. Comput. 41(5), §3),
    where the baseline's matrix product adds in blocks: at 8,192 keys torch's own fp32 backends
    err by 40 roundoffs of the row's scale, the baseline by 8.
    """
    rounding = UNIT_ROUNDOFF.get(problem.dtype, 0.0) * SLACK.get(problem.dtype, 0.0)
    accumulator = UNIT_ROUNDOFF[ACCUMULATORS.get(problem.dtype, "fp32")]
    return rounding + accumulator * float(np.sqrt(max(problem.seq_q, problem.seq_k)))


def _row_checks(
    expected: Expected, name: str, error: Array, scale: Array, unit: float
) -> list[_Check]:
    """The worst row against its own scale, and rows that must be 0."""
    bound = expected.gate.row_bound
    if bound is None:
        if expected.gate.kind != "max_error":
            return []
        bound = FACTOR * expected.baseline_row_error[name] + unit
    empty, ratio = scale == 0, row_errors(error, scale)
    where = np.unravel_index(int(ratio.argmax()), ratio.shape)
    note = f" × the row's scale {scale[where]:.2g}, in selected row {tuple(map(int, where))}"
    checks = [_Check(name, "row_error", float(ratio[where]), bound, note)]
    if empty.any():
        nothing = float(np.abs(error[empty]).max())
        checks.append(_Check(name, "error of a row that sees nothing", nothing, 0.0))
    return checks


def _gain_checks(
    problem: Problem, expected: Expected, name: str, right: Array, error: Array
) -> list[_Check]:
    """The factor common to all errors; none where rows have no scale, or hold rounding alone."""
    scale = expected.row_scale.get(name)
    if scale is None:
        return []
    unit = UNIT_ROUNDOFF.get(problem.dtype, 0.0)
    found = gain_error(right, error, scale, unit)
    if found is None:
        return []
    gain, deviation = found
    slack = GAIN_SLACK * max(unit, UNIT_ROUNDOFF["fp16"])
    baseline = expected.baseline_gain_error.get(name, 0.0)
    bound = slack + GAIN_DEVIATIONS * deviation + FACTOR * baseline
    note = f" ({GAIN_DEVIATIONS:g} × its standard error {deviation:.2g} + {slack:.2g}"
    note += f" + {FACTOR:g} × low-precision torch's {baseline:.2g})"
    return [_Check(name, "gain_error", gain, bound, note)]


def row_scales(scale: Array, dtype: str) -> Array:
    """``scale`` [...] of rows, none below what the accumulator rounds off beside the others.

    dv of a key that nobody attends to may be 1e-30 of its neighbours': its share of error is that
    of a score in its own dtype, e^0.25 in bf16, and nothing downstream can see it. 0 stays 0.
    """
    reach = UNIT_ROUNDOFF[ACCUMULATORS.get(dtype, "fp32")] * _rms(scale)
    return np.where(scale > 0, np.maximum(scale, reach), 0.0)


def row_errors(error: Array, scale: Array) -> Array:
    """RMS of each row of ``error`` [..., dim] over its ``scale`` [...]; 0 where that is 0."""
    rows = np.sqrt(np.square(error).mean(-1))
    ratio: Array = np.divide(rows, scale, out=np.zeros_like(rows), where=scale > 0)
    return ratio


def gain_error(right: Array, error: Array, scale: Array, unit: float) -> tuple[float, float] | None:
    """|slope of the output on ``right`` − 1| and its standard error, each row over its ``scale``.

    ``right`` and ``error`` [..., dim], ``scale`` [...]. None where ``right`` holds nothing but
    rounding of ``unit``: over one key dq and dk are 0, the oracle's rounding apart.
    """
    weight = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)[..., None]
    right, products = right * weight, right * error * weight**2
    power = float(np.square(right).sum())
    if power <= unit**2 * right.size:
        return None
    deviation = float(np.sqrt(np.square(products).sum())) / power
    return abs(float(products.sum())) / power, deviation


def _rms(x: Array) -> float:
    return float(np.sqrt(np.square(x, dtype=np.float64).mean()))
