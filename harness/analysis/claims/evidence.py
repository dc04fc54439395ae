"""The measurements of the experiment ``claims`` on one device, and the figures that claims need."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.scaling import Exponent, fitted_exponent
from harness.analysis.welch import change
from harness.model import Gpu, Status, median

EXPERIMENT = "claims"
"""The experiment in conf/experiment whose cells claims are judged by."""


class NotMeasured(Exception):
    """A claim's cells aren't there, or gave no number; the text says which."""


@dataclass(frozen=True)
class Ratio:
    """One figure over another, from the medians of launches."""

    value: float
    low: float
    """Lower bound of the 95 % interval; NaN with a single launch a side."""
    high: float
    """Upper bound of it."""


@dataclass(frozen=True)
class Evidence:
    """Records of one sweep on one device, as ``harness.analysis.query.results`` gives them."""

    device: str
    """The device's model, as it reports itself."""
    kind: str
    """cpu, cuda or rocm."""
    frame: pd.DataFrame
    """Its records."""
    gpu: Gpu | None = None
    """The hardware's peaks, where they are known."""

    def select(self, kernel: str, **equal: Any) -> pd.DataFrame:
        """The ok records of ``kernel`` whose columns equal ``equal``. Raises NotMeasured."""
        chosen = self.frame["kernel"] == kernel
        for name, value in equal.items():
            chosen &= self.frame[name] == value
        found = self.frame[chosen]
        good = found[found["status"] == Status.OK]
        if good.empty:
            where = ", ".join(f"{k} {v}" for k, v in equal.items())
            why = (
                f"{found['status'].iloc[0]}: {found['reason'].iloc[0]}" if len(found) else "no row"
            )
            raise NotMeasured(f"{kernel} ({where}): {why}")
        return good

    def lengths(self, kernel: str, **equal: Any) -> Mapping[int, np.ndarray[Any, Any]]:
        """Medians of the launches, ms, by key length, in order of length."""
        by_length = self.select(kernel, **equal).groupby("seq_k")["latency_ms"]
        return {_tokens(length): np.sort(group.to_numpy()) for length, group in by_length}

    def exponent(self, kernel: str, **equal: Any) -> Exponent:
        """How ``kernel``'s time grows with length. Raises NotMeasured with fewer than 3 lengths."""
        return self._fit(self.select(kernel, **equal), "latency_ms", kernel)

    def memory_exponent(self, kernel: str, **equal: Any) -> Exponent:
        """How its peak memory over the inputs grows with length."""
        return self._fit(self.select(kernel, **equal), "peak_memory_mb", kernel)

    def _fit(self, found: pd.DataFrame, column: str, kernel: str) -> Exponent:
        fitted = fitted_exponent(found["seq_k"].tolist(), found[column].tolist())
        if fitted is None:
            raise NotMeasured(f"{kernel}: fewer than 3 lengths")
        return fitted

    def ratio(self, over: np.ndarray[Any, Any], under: np.ndarray[Any, Any]) -> Ratio:
        """``over`` / ``under`` of two sets of launch medians."""
        if len(over) < 2 or len(under) < 2:
            return Ratio(median(list(over)) / median(list(under)), math.nan, math.nan)
        found = change(under, over, least_effect=0.02)
        return Ratio(found.ratio, found.low, found.high)

    def doubling(self, kernel: str, **equal: Any) -> tuple[int, int, Ratio]:
        """The two longest lengths of which one is twice the other, and the ratio of their times."""
        times = self.lengths(kernel, **equal)
        pairs = [(length, 2 * length) for length in times if 2 * length in times]
        if not pairs:
            raise NotMeasured(f"{kernel}: no two lengths of which one is twice the other")
        short, long = pairs[-1]
        return short, long, self.ratio(times[long], times[short])

    def peak_mb(self, kernel: str, **equal: Any) -> dict[int, float]:
        """Peak memory over the inputs, MB, by key length; NaN-free. Raises NotMeasured."""
        found = self.select(kernel, **equal).dropna(subset=["peak_memory_mb"])
        if found.empty:
            raise NotMeasured(f"{kernel}: its peak memory wasn't measured")
        by_length = found.groupby("seq_k")["peak_memory_mb"]
        return {_tokens(n): float(group.median()) for n, group in by_length}

    def errors(self, **equal: Any) -> dict[str, float]:
        """Largest error against the fp64 oracle by kernel, of the ok records."""
        chosen = self.frame["status"] == Status.OK
        for name, value in equal.items():
            chosen &= self.frame[name] == value
        return {
            str(k): float(g.max())
            for k, g in self.frame[chosen].groupby("kernel")["max_error"]
            if not g.isna().all()
        }


def _tokens(length: Any) -> int:
    """A group's key as a length: pandas types it as anything hashable."""
    return int(length)
