"""The headline of a page: what was measured, on what, when, how it went, and who won."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from dashboards import tidy
from dashboards.content import Tile
from dashboards.formats import count, listing, ratio


def distinct(frame: pd.DataFrame, column: str) -> list[str]:
    """Sorted texts of a column, without what is missing."""
    if column not in frame:
        return []
    return sorted({str(v) for v in frame[column].dropna() if str(v)})


def title(records: pd.DataFrame) -> str:
    """Named after the experiments."""
    experiments = distinct(records, "experiment")
    return f"Attention kernels: {listing(experiments, 3)}" if experiments else "Attention kernels"


def lead(records: pd.DataFrame, frame: pd.DataFrame) -> str:
    """What was measured, on what device, when."""
    lengths = sorted({int(n) for n in frame["length"]})
    span = f"{lengths[0]:,}" if len(lengths) == 1 else f"{lengths[0]:,} to {lengths[-1]:,}"
    workloads = distinct(frame, "workload")
    devices = distinct(records, "device")
    days = sorted({t[:10] for t in distinct(records, "started_at")})
    return "".join(
        [
            count(len(tidy.kernels(frame)), "kernel"),
            f" on the shapes of {listing(workloads, 4)}" if workloads else "",
            f" in {listing(distinct(frame, 'dtype'))}, {span} tokens, ",
            f"on {listing(devices, 4)}" if devices else "which reached no device",
            f", {' to '.join(dict.fromkeys([days[0], days[-1]]))}" if days else "",
            ".",
        ]
    )


def tiles(records: pd.DataFrame, frame: pd.DataFrame) -> list[Tile]:
    """How many cells are ok, failed and skipped, and how much measuring stands behind them."""
    by = frame["outcome"].value_counts()
    ok, failed, skipped = (int(by.get(k, 0)) for k in ("ok", "failed", "skipped"))
    out = [
        Tile(f"{ok:,}", "cells ok" if ok != 1 else "cell ok", "good" if ok else "bad"),
        Tile(f"{failed:,}", "failed", "bad" if failed else "plain"),
        Tile(f"{skipped:,}", "skipped"),
    ]
    if "launch" in records:
        n = records["launch"].nunique()
        out.append(Tile(f"{n:,}", "launch of each" if n == 1 else "launches of each"))
    if "samples" in records:
        out.append(Tile(f"{int(records['samples'].fillna(0).sum()):,}", "samples"))
    return out


def findings(frame: pd.DataFrame, baseline: str | None) -> list[str]:
    """The answer in a sentence: who is fastest how often, and who gave wrong results."""
    if baseline is None:
        return ["Nothing was measured successfully; the reasons are below."]
    ok = frame[frame["status"] == "ok"]
    best = tidy.fastest(frame)
    wins = Counter(cell["label"] for cell, _ in best)
    winner, won = min(wins.items(), key=lambda item: (-item[1], item[0]))
    close = sum(1 for cell, ties in best if ties and cell["label"] == winner)
    line = f"{winner} is the fastest on {won:,} of {count(len(best), 'problem')}"
    line += f" ({close:,} of them not told apart from another)" if close else ""
    over = tidy.speedups(ok, baseline)
    gains = over.loc[(over["label"] == winner) & over["speedup"].notna(), "speedup"]
    if len(gains):
        middle, low, high = ratio(gains.median()), ratio(gains.min()), ratio(gains.max())
        line += f"; its speed-up over {baseline} is {middle} at the median ({low} to {high})"
    out = [line + "."]
    wrong = sorted(set(frame.loc[frame["status"].isin(["incorrect", "invalid"]), "label"]))
    if wrong:
        out.append(f"Not right on every problem, and not timed there: {listing(wrong)}.")
    remarks = Counter(flag for text in ok["flags"].dropna() for flag in str(text).split(", "))
    remarks.pop("", None)
    if remarks:
        named = listing([f"{flag} ({count(n, 'cell')})" for flag, n in remarks.most_common()])
        out.append(f"Remarks on the quality of measurements: {named}.")
    return out
