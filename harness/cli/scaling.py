"""``attnbench scaling``: how time grows with length, and where kernels overtake each other."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.analysis.digits import digits
from harness.cli.common import store_url
from harness.cli.results import write_text
from harness.cli.tabular import Page
from harness.errors import AttnbenchError

if TYPE_CHECKING:
    from harness.analysis.scaling.laws import Law, Scaling

FEW = 3
"""Exit code: no kernel has three lengths."""


def scaling_command(
    view: Any, beyond: bool, format: str, out: Path | None, store: str | None
) -> int:
    """Body of ``attnbench scaling``; returns the exit code."""
    from harness.analysis.query import cells, latest
    from harness.analysis.scaling.laws import scaling_laws
    from harness.analysis.view import view_records
    from harness.store import open_store

    with open_store(store_url(store), read_only=True) as opened:
        records = view_records(opened, view)
    if records.empty:
        raise AttnbenchError("no results match: attnbench results shows what is there")
    found = scaling_laws(latest(cells(records)), beyond=beyond)
    if format == "json":
        text = json.dumps(as_dict(found), indent=1, ensure_ascii=False) + "\n"
    else:
        text = scaling_text(found, format == "md")
    write_text(text, out)
    return 0 if any(law.exponent for law in found.laws) else FEW


def scaling_text(found: Scaling, markdown: bool) -> str:
    """For a terminal or as Markdown: a table a case, its crossings below."""
    page = Page(markdown)
    cases = dict.fromkeys((law.device, law.mode, law.case) for law in found.laws)
    few = 0
    for device, mode, case in cases:
        mine = [
            law for law in found.laws if (law.device, law.mode, law.case) == (device, mode, case)
        ]
        rows = [_row(law) for law in mine if law.exponent is not None]
        few += len(mine) - len(rows)
        if not rows:
            continue
        page.heading(f"{case} · {mode} · {device}")
        columns = ["kernel", "time ∝", "95 % interval", "lengths", "of", "regime"]
        page.table(columns, rows, left=(0, 5))
        if markdown:
            page.line()
        for meet in found.crossings:
            if (meet.device, meet.mode, meet.case) == (device, mode, case):
                page.line(meet.text, 2)
    if few:
        page.line()
        page.line(f"{few} more have fewer than three lengths, which tell no exponent")
    if not found.laws:
        page.line("no kernel was measured at two lengths of one problem")
    return page.text


def _row(law: Law) -> list[str]:
    fit = law.exponent
    assert fit is not None
    known = math.isfinite(fit.low) and math.isfinite(fit.high)
    span = f"{law.lengths[-fit.points]:,}–{law.lengths[-1]:,}"
    regimes = "" if law.regimes is None else law.regimes.text
    if law.regimes is not None:
        regimes += f" ({digits(law.regimes.low)} to {digits(law.regimes.high)})"
    bounds = f"{fit.low:.2f} to {fit.high:.2f}" if known else "not known"
    return [law.kernel, f"n^{fit.value:.2f}", bounds, span, f"{len(law.lengths)}", regimes]


def as_dict(found: Scaling) -> dict[str, Any]:
    """Plain JSON values; what isn't finite is null."""
    return {
        "laws": [_plain(asdict(law)) for law in found.laws],
        "crossings": [_plain(asdict(one)) | {"text": one.text} for one in found.crossings],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
