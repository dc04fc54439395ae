"""What a comparison says, in words: the same for the terminal, Markdown and the gate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from harness.analysis.compare.comparison import ORDER, Comparison, kinds
from harness.analysis.compare.summary import Mean
from harness.analysis.compare.verdicts import launches_needed
from harness.analysis.digits import digits

FAR = 10.0
"""From this ratio on a change reads better as a factor than in percent."""


def change(ratio: float) -> str:
    """A ratio as people say it: +3.1 %, or ×12.4 where it is far from one."""
    if math.isnan(ratio):
        return ""
    if math.isinf(ratio) or ratio == 0:
        return "from zero" if ratio else "to zero"
    if ratio >= FAR or ratio <= 1 / FAR:
        return f"×{digits(ratio)}"
    return f"{(ratio - 1) * 100:+.1f} %".replace("-", "−")


def interval(low: float, high: float) -> str:
    """The 95 % interval of a ratio; "" where it isn't known, or has no width to speak of."""
    if math.isnan(low) or math.isnan(high) or not 0 < low <= high < math.inf:
        return ""
    if high >= FAR or low <= 1 / FAR:
        return f"×{low:.2g} … ×{high:.2g}"
    return f"{change(low).removesuffix(' %')} … {change(high)}"


def mean_text(mean: Mean) -> str:
    """A geometric mean with its interval."""
    if not mean.cells:
        return "no cell on both sides"
    known = interval(mean.low, mean.high)
    cells = "1 cell" if mean.cells == 1 else f"{mean.cells} cells"
    return f"{change(mean.ratio)} ({known or 'interval not known: one launch a side'}) over {cells}"


def tally(found: Comparison) -> str:
    """How many cells came out how."""
    counts = {kind: found.count(kind) for kind in ORDER}
    words = [f"{n} {kind}" for kind, n in counts.items() if n]
    if len(found.newly_failing):
        words.insert(0, f"{len(found.newly_failing)} newly failing")
    return ", ".join(words) or "nothing to judge"


def heading(found: Comparison) -> str:
    """What the changes are changes of."""
    unit = f", {found.metric.unit}" if found.metric.unit else ""
    better = "higher is better" if found.metric.higher_is_better else "lower is better"
    return f"{found.metric.title}{unit}: {better}; the least change that counts is {_share(found)}"


def _share(found: Comparison) -> str:
    effects = sorted(set(found.cells["least_effect"])) or [found.least_effect]
    return " to ".join(f"{e * 100:g} %" for e in dict.fromkeys((effects[0], effects[-1])))


def power(found: Comparison) -> str:
    """The typical spread between launches, and how many it takes to see the least effect."""
    spread = float(found.cells["spread"].median()) if len(found.cells) else math.nan
    a, b = found.launches
    if math.isnan(spread) or spread == 0:
        return ""
    needed = launches_needed(spread, found.least_effect)
    many = f"about {needed}" if needed <= 50 else "more than 50"
    return (
        f"launches differ by {digits(spread * 100)} % (typical cell; {a} and {b} launches): to see "
        f"{found.least_effect * 100:g} % in a cell alone takes {many} a side"
    )


def notes(found: Comparison) -> list[str]:
    """What a reader has to know beside the table."""
    out = []
    if found.failing:
        out.append(f"{_cells(found.failing)} failed on both sides")
    one = found.one_sided
    for side, other in (("A", "B"), ("B", "A")):
        mine = one[one["has"] == side]
        for status, part in mine.groupby("status", sort=False):
            if status == "missing":
                out.append(f"{_cells(len(part))} only in {side}: {_names(part)}")
            else:
                reason = part["reason"].iloc[0]
                why = f" ({reason})" if reason else ""
                out.append(
                    f"{_cells(len(part))} only in {side}, {status} in {other}: {_names(part)}{why}"
                )
    if seen := power(found):
        out.append(seen)
    return out


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


def _names(part: pd.DataFrame, shown: int = 3) -> str:
    names = [f"{r['kernel']} {r['problem']}" for r in part.head(shown).to_dict("records")]
    more = len(part) - shown
    return "; ".join(names) + (f"; and {more} more" if more > 0 else "")


def common_words(cells: pd.DataFrame) -> tuple[str, Sequence[str]]:
    """The words that all problems share, and each problem without them."""
    problems = [str(text).split() for text in cells["problem"]]
    if not problems:
        return "", []
    if len(set(map(tuple, problems))) == 1:
        return " ".join(problems[0]), [""] * len(problems)
    shared = set(problems[0]).intersection(*problems[1:])
    return (
        " ".join(word for word in problems[0] if word in shared),
        [" ".join(word for word in words if word not in shared) for words in problems],
    )


def context(cells: pd.DataFrame) -> dict[str, str]:
    """Facts that all cells share, to be said once: kernel, device, mode."""
    facts = {}
    for name in ("kernel", "device", "mode"):
        values = set(map(str, cells[name]))
        if len(values) == 1:
            facts[name] = values.pop()
    return facts


def subjects(cells: pd.DataFrame) -> tuple[str, list[str]]:
    """What is common to all rows, in words, and what each row is about."""
    shared, rest = common_words(cells)
    facts = context(cells)
    words = [facts.get("kernel", ""), shared, facts.get("mode", ""), facts.get("device", "")]
    rows = []
    for row, problem in zip(cells.to_dict("records"), rest, strict=True):
        own = [str(row[n]) for n in ("kernel", "mode", "device") if n not in facts]
        rows.append(" ".join([*own[:1], problem, *own[1:]]).strip() or shared)
    return " · ".join(word for word in words if word), rows


def verdict_text(row: Mapping[Any, Any]) -> str:
    """The verdict, ``suspect`` for one launch that points to a change."""
    return "suspect" if row["suspect"] else str(row["verdict"])


def shown_first(found: Comparison, limit: int | None) -> tuple[pd.DataFrame, str]:
    """The rows to print, and what is left out."""
    cells = found.cells
    if limit is None or len(cells) <= limit:
        return cells, ""
    rest = kinds(cells.iloc[limit:])
    counts = ", ".join(f"{n} {kind}" for kind, n in rest.value_counts().items())
    return cells.iloc[:limit], f"{_cells(len(rest))} more: {counts} (--limit 0 shows all)"
