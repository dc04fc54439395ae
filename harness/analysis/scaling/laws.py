"""Scaling laws of measured cells: a row a kernel, and the crossings of every two.

found = scaling_laws(cells(results(store, sweep=…)))
for law in found.laws: print(law.kernel, law.exponent.value, law.regimes)
for meet in found.crossings: print(meet.text)
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from harness.analysis.scaling.crossing import Crossing, crossing, extrapolated
from harness.analysis.scaling.exponent import Exponent, fitted_exponent
from harness.analysis.scaling.regimes import Regimes, changed_regime
from harness.model import Status

LENGTH = re.compile(r"\bS(\d+)(?:×(\d+))?\b")
GROUP = ["device", "mode", "operator", "case"]


@dataclass(frozen=True)
class Law:
    """How one kernel's time grows with length."""

    case: str
    """The problem without its length: ``B1 H8 Sn D64 bf16 causal fwd``."""
    operator: str
    """What is computed."""
    device: str
    """On what."""
    mode: str
    """How it was timed."""
    kernel: str
    """The kernel, with its options where it has some."""
    lengths: tuple[int, ...]
    """Tokens, rising."""
    times_ms: tuple[float, ...]
    """Latency at each."""
    exponent: Exponent | None
    """Of the long end; None with fewer than 3 lengths."""
    regimes: Regimes | None
    """Its change of regime; None where none is seen."""


@dataclass(frozen=True)
class Meeting:
    """Where one kernel overtakes another."""

    case: str
    """As of ``Law``."""
    device: str
    """As of ``Law``."""
    mode: str
    """As of ``Law``."""
    winner: str
    """The faster one beyond the crossing."""
    loser: str
    """The faster one before it."""
    at: Crossing
    """Where."""

    @property
    def text(self) -> str:
        """In words: linear_chunked overtakes sdpa_flash at about 6,100 tokens (5,800 to 6,500)."""
        where = f"at about {_round(self.at.length)} tokens"
        if not math.isnan(self.at.low):
            end = "beyond" if math.isinf(self.at.high) else _round(self.at.high)
            where += f" ({_round(self.at.low)} to {end})"
        how = "overtakes" if self.at.measured else "would overtake, by the fitted powers,"
        return f"{self.winner} {how} {self.loser} {where}"


@dataclass(frozen=True)
class Scaling:
    """What a set of cells says of growth with length."""

    laws: tuple[Law, ...]
    """A kernel on a case each, the case's slowest at the long end first."""
    crossings: tuple[Meeting, ...]
    """Every two kernels of a case that cross, by case and length."""


def scaling_laws(cells: pd.DataFrame, *, beyond: bool = True) -> Scaling:
    """The laws of ``harness.analysis.cells``' frame; of several sweeps' or boards' cells of one
    problem, the median counts. ``beyond``: foretell crossings past the longest length too.
    """
    ok = cells[(cells["status"] == str(Status.OK)) & (cells["latency_ms"] > 0)]
    if ok.empty:
        return Scaling((), ())
    options = ok["kernel_options"].fillna("").astype(str)
    ok = ok.assign(
        case=[LENGTH.sub(_without, text) for text in ok["problem"]],
        length=np.maximum(ok["seq_q"], ok["seq_k"]).astype(int),
        kernel=(ok["kernel"] + " " + options).str.strip().where(_several(ok), ok["kernel"]),
    )
    laws: list[Law] = []
    crossings: list[Meeting] = []
    for key, group in ok.groupby(GROUP, sort=True, dropna=False):
        device, mode, operator, case = map(str, key)
        columns = ["latency_ms", "latency_low_ms", "latency_high_ms"]
        table = group.groupby(["kernel", "length"])[columns].median()
        curves = {str(name): part.droplevel(0) for name, part in table.groupby(level=0)}
        curves = {name: curve for name, curve in curves.items() if len(curve) >= 2}
        found = [
            Law(
                case,
                operator,
                device,
                mode,
                name,
                tuple(map(int, curve.index)),
                tuple(curve["latency_ms"]),
                fitted_exponent(list(curve.index), list(curve["latency_ms"])),
                changed_regime(list(curve.index), list(curve["latency_ms"])),
            )
            for name, curve in curves.items()
        ]
        laws += sorted(found, key=lambda law: (-law.lengths[-1], -law.times_ms[-1], law.kernel))
        met = [
            Meeting(case, device, mode, *((a, b) if at.first_wins_beyond else (b, a)), at)
            for a, b in combinations(sorted(curves), 2)
            for at in _crossings(curves[a], curves[b], beyond)
        ]
        crossings += sorted(met, key=lambda one: (not one.at.measured, one.at.length))
    return Scaling(tuple(laws), tuple(crossings))


def _without(match: re.Match[str]) -> str:
    """The length in a problem's summary as n; queries that differ from it stay."""
    return "Sn" if match[2] is None else f"S{match[1]}×n"


def _several(frame: pd.DataFrame) -> pd.Series:
    """Whether the row's kernel was measured with several options."""
    several: pd.Series = frame.groupby("kernel")["kernel_options"].transform("nunique") > 1
    return several


def _crossings(a: pd.DataFrame, b: pd.DataFrame, beyond: bool) -> Iterator[Crossing]:
    both = _joined(a, b)
    if len(both) < 2:
        return
    log = np.log(both)
    ratio = log["latency_ms"] - log["latency_ms_b"]
    half = np.sqrt(
        ((log["latency_high_ms"] - log["latency_low_ms"]) / 2) ** 2
        + ((log["latency_high_ms_b"] - log["latency_low_ms_b"]) / 2) ** 2
    )
    lengths = list(map(float, both.index))
    yield from crossing(lengths, list(ratio), list(half))
    if beyond:
        later = extrapolated(lengths, list(both["latency_ms"]), list(both["latency_ms_b"]))
        if later is not None:
            yield later


def _joined(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([a, b.add_suffix("_b")], axis=1, join="inner").sort_index()


def _round(length: float) -> str:
    """Two significant digits above 1,000, whole tokens below."""
    if length < 1000:
        return f"{length:.0f}"
    step = 10 ** (math.floor(math.log10(length)) - 1)
    return f"{round(length / step) * step:,.0f}"
