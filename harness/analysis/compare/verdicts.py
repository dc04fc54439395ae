"""Verdicts: what may be said of each cell, with the sweep's false discoveries under control.

Per cell a moderated t test of the contrast (harness.analysis.compare.moderation), the p values
adjusted over all cells by Benjamini and Hochberg (JRSS B 57, 1995; scipy), and a least relevant
effect, since with launches enough everything is "significant" (FIELD.md §11). *Unchanged* is not
the absence of a finding but one of its own: the whole interval lies within the least effect.
The test takes both sides' spread to be the same; with equally many launches a side it need not be.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import special, stats

from harness.analysis.compare.contrasts import contrasts
from harness.analysis.compare.launches import Bools, Floats, Ints, Launches, Ragged, split_odd
from harness.analysis.compare.moderation import Prior, estimate_prior
from harness.analysis.compare.summary import Mean, geometric_mean

FALSE_DISCOVERIES = 0.05
"""Share of the changes called that may be none."""
CONFIDENCE = 0.95
BOARD_SPREAD = 0.09
"""Boards of one model differ by up to this (flash-attention#2570): without a board in common, less
says nothing about what was changed."""
TOGETHER_CELLS = 20
TOGETHER_ALPHA = 0.001
"""What disturbs a round disturbs all its cells, so a move common to a sweep of TOGETHER_CELLS cells
or more is one observation, not many. Unless it stands at this level by the rounds' own spread, a
cell must stand out from it, and not only from zero."""


class Verdict(StrEnum):
    """What may be said of a cell."""

    REGRESSED = "regressed"
    """Worse by the least effect or more, and not by chance."""
    IMPROVED = "improved"
    """Better by the least effect or more, and not by chance."""
    UNCHANGED = "unchanged"
    """Shown to differ by less than the least effect."""
    UNKNOWN = "unknown"
    """Neither was shown: measure more launches."""
    INSUFFICIENT = "insufficient"
    """It can't be judged: one launch, no value, values that can't be compared."""


@dataclass(frozen=True)
class Judged:
    """G cells, judged. Ratios are second side over first."""

    ratio: Floats
    """[G] Of the geometric means of the launches; NaN where a side has none."""
    low: Floats
    """[G] Lower bound of its 95 % interval (moderated t); NaN where the spread isn't known."""
    high: Floats
    """[G] Upper bound."""
    p: Floats
    """[G] How likely equal sides would differ so much; NaN where it wasn't tested."""
    q: Floats
    """[G] ``p`` adjusted over the sweep: the share of false calls among those up to this one."""
    spread: Floats
    """[G] Standard deviation between launches, moderated, as a share."""
    before: Ints
    """[G] Launches that count on the first side."""
    after: Ints
    """[G] On the second."""
    verdict: tuple[Verdict, ...]
    """[G] The finding."""
    reason: tuple[str, ...]
    """[G] Why it is unknown or insufficient; "" otherwise."""
    suspect: Bools
    """[G] Insufficient, but what there is points to a relevant change."""
    prior: Prior
    """What the cells say of each other's spread."""
    mean: Mean
    """The geometric mean of the ratios."""


def judge(
    before: Ragged,
    after: Ragged,
    *,
    least_effect: float = 0.02,
    higher_is_better: bool = False,
    boards: tuple[Sequence[Sequence[Hashable]], Sequence[Sequence[Hashable]]] | None = None,
    false_discoveries: float = FALSE_DISCOVERIES,
) -> Judged:
    """Judge G cells from one figure a launch; see ``Launches.of`` for the shapes.

        judged = judge([[1.00, 1.01, 0.99]], [[1.05, 1.06, 1.04]], least_effect=0.02)
        judged.verdict, judged.ratio, judged.low, judged.high

    ``least_effect`` is the least relative change that matters (0.02: 2 %). Deterministic; NaN is a
    launch without a figure. Raises ValueError where shapes differ, or a share isn't in (0, 1).
    """
    launches = Launches.of(before, after, boards)
    return judge_launches(
        launches, np.full(launches.cells, least_effect), higher_is_better, false_discoveries
    )


def judge_launches(
    launches: Launches,
    least_effect: Floats,
    higher_is_better: bool,
    false_discoveries: float = FALSE_DISCOVERIES,
    *,
    boards_differ_by: float = BOARD_SPREAD,
) -> Judged:
    """As ``judge``, with the least effect of each cell [G].

    ``boards_differ_by`` holds for cells whose sides have no board in common; 0 where boards don't
    matter, or where the board is what is compared.
    """
    for name, share in (
        ("least_effect", least_effect),
        ("false_discoveries", np.array([false_discoveries])),
    ):
        if not ((share > 0) & (share < 1)).all():
            raise ValueError(f"{name} must lie between 0 and 1 (0.02 is 2 %)")
    positive, odd = split_odd(launches)
    found = contrasts(positive)
    prior = estimate_prior(found.variance, found.freedom)
    variance, freedom = prior.moderate(found.variance, found.freedom)
    before, after = (np.where(odd.any, launches.count(s), n) for s, n in enumerate(found.counts))
    several = (before >= 2) & (after >= 2)
    effect = np.where(odd.any, odd.effect, found.effect)
    width = np.where(odd.any, 0.0, np.sqrt(variance * found.unit))
    mean = geometric_mean(positive)
    alone = p = _p_values(effect, width, freedom)
    if mean.cells >= TOGETHER_CELLS and mean.p > TOGETHER_ALPHA:
        p = np.fmax(p, _p_values(effect - math.log(mean.ratio), width, freedom))
    p = np.where(several, p, np.nan)
    q = np.full_like(p, np.nan)
    tested = ~np.isnan(p)
    if tested.any():
        q[tested] = stats.false_discovery_control(p[tested])
    half = np.where(width == 0, 0.0, width * _quantile(freedom))
    half = np.where(several, half, np.nan)
    with np.errstate(invalid="ignore"):  # infinity less infinity
        low, high = np.where(np.isinf(effect), effect, (effect - half, effect + half))
    spread = np.where(odd.any, np.nan, np.expm1(np.sqrt(variance)))
    least = np.log1p(least_effect)
    apart = np.isfinite(found.effect) & ~found.paired
    least_seen = np.where(apart, np.maximum(least, np.log1p(boards_differ_by)), least)
    called = (q <= false_discoveries) & (np.abs(effect) >= least_seen)
    grounds = _Grounds(effect, low, high, p, alone, least, called, apart & (boards_differ_by > 0))
    judged = [
        grounds.verdict(i, int(before[i]), int(after[i]), spread[i], higher_is_better, mean)
        for i in range(launches.cells)
    ]
    lone = np.minimum(before, after) == 1
    return Judged(
        ratio=np.exp(effect),
        low=np.exp(low),
        high=np.exp(high),
        p=p,
        q=q,
        spread=spread,
        before=before,
        after=after,
        verdict=tuple(verdict for verdict, _ in judged),
        reason=tuple(reason for _, reason in judged),
        suspect=lone & (np.abs(effect) >= least_seen),
        prior=prior,
        mean=mean,
    )


@dataclass(frozen=True)
class _Grounds:
    """What a verdict rests on, by cell [G]; effects and bounds are logarithms."""

    effect: Floats
    low: Floats
    high: Floats
    p: Floats
    alone: Floats
    """p against zero alone, without the sweep's common move."""
    least: Floats
    called: Bools
    apart: Bools
    """No board in common, and boards matter."""

    def verdict(
        self, i: int, before: int, after: int, spread: float, higher_is_better: bool, mean: Mean
    ) -> tuple[Verdict, str]:
        """Of cell ``i``, and the reason where it is unknown or insufficient."""
        effect, least = self.effect[i], self.least[i]
        if before < 2 or after < 2:
            return Verdict.INSUFFICIENT, _too_few(before, after)
        if math.isnan(effect):
            return Verdict.INSUFFICIENT, "values that aren't positive"
        if math.isnan(self.p[i]):
            return Verdict.INSUFFICIENT, "no spread between launches is known"
        if self.called[i]:
            better = (effect > 0) == higher_is_better
            return (Verdict.IMPROVED if better else Verdict.REGRESSED), ""
        if self.apart[i]:
            return Verdict.UNKNOWN, "no board in common, and boards of one model differ by 5–9 %"
        if -least < self.low[i] and self.high[i] < least:
            return Verdict.UNCHANGED, ""
        if self.alone[i] < 0.5 * self.p[i] and abs(effect) >= least:
            move = f"it moved as the whole sweep did ({mean.ratio - 1:+.1%})"
            return Verdict.UNKNOWN, f"{move}, which its rounds' spread may explain"
        return Verdict.UNKNOWN, _more(spread, least)


def _p_values(effect: Floats, width: Floats, freedom: Floats) -> Floats:
    """Two-sided p of each cell; one that repeats exactly has moved for sure, or not at all."""
    exact = width == 0
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.abs(effect) / np.where(exact, np.nan, width)
    p = 2 * _tail(freedom, t)
    return np.where(exact & ~np.isnan(effect), np.where(effect == 0, 1.0, 0.0), p)


def _tail(freedom: Floats, t: Floats) -> Floats:
    endless = np.isinf(freedom)
    student = special.stdtr(np.where(endless, 1.0, freedom), -t)
    tail: Floats = np.where(endless, special.ndtr(-t), student)
    return tail


def _quantile(freedom: Floats) -> Floats:
    share = (1 + CONFIDENCE) / 2
    endless = np.isinf(freedom)
    student = special.stdtrit(np.where(endless | (freedom <= 0), np.nan, freedom), share)
    quantile: Floats = np.where(endless, special.ndtri(share), student)
    return quantile


def _too_few(before: int, after: int) -> str:
    if not before or not after:
        return "no value on " + ("either side" if not before and not after else "one side")
    return f"{before} and {after} launches: a verdict needs two a side"


def launches_needed(spread: float, least_effect: float) -> int:
    """Launches a side that find a change of ``least_effect`` in 80 % of cases (normal theory)."""
    reach = float(special.ndtri(0.975) + special.ndtri(0.8))
    return max(2, math.ceil(2 * (reach * math.log1p(spread) / math.log1p(least_effect)) ** 2))


def _more(spread: float, least: float) -> str:
    if math.isnan(spread):
        return "measure more launches"
    needed = launches_needed(spread, math.expm1(least))
    return f"measure more: it takes about {needed} launches a side"
