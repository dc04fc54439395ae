"""What a comparison of GPUs says: a matrix, the means, the boards, what to mind."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from harness.analysis.compare.words import common_words
from harness.analysis.digits import digits
from harness.cli.tabular import Page

if TYPE_CHECKING:
    from harness.analysis.hardware import Figure, Hardware, Prediction, Ratios

SHOWN_BOARDS = 12


def hardware_text(
    found: Hardware,
    figure: Figure,
    over: Ratios | None,
    coming: Prediction | None,
    markdown: bool,
) -> str:
    """For a terminal or as Markdown."""
    page = Page(markdown)
    _matrix(page, found, figure, over)
    if over is not None:
        _means(page, over)
    _roofline(page, found)
    if coming is not None:
        _prediction(page, coming)
    _boards(page, found)
    if found.warnings:
        page.heading("Not the same on all")
        for one in found.warnings:
            page.line(one.text, 2)
    return page.text


def _matrix(page: Page, found: Hardware, figure: Figure, over: Ratios | None) -> None:
    several = found.cells["kernel"].nunique() > 1
    unit = f", {figure.unit}" if figure.unit else ", %"
    better = "higher is better" if figure.higher_is_better else "lower is better"
    what = f"{figure.title}{unit if over is None else f' over {over.reference}'} ({better})"
    best = ", of the fastest kernel" if several else f", {found.cells['kernel'].iloc[0]}"
    shared, words = common_words(found.cells)
    page.line(f"{what}{best}: {shared}")
    page.line(
        f"{found.problems} problems, {found.shared} of them on "
        f"{'all' if len(found.gpus) > 1 else 'the'} {len(found.gpus)} "
        f"{'GPUs' if len(found.gpus) > 1 else 'GPU'}"
    )
    page.line()
    texts = _texts(found, figure, over, several)
    rows: dict[tuple[str, str], list[str]] = {}
    cells = found.cells.assign(words=words)
    modes = cells["mode"].nunique() > 1
    for row in cells.to_dict("records"):
        key = row["problem_key"], row["mode"]
        name = " ".join(filter(None, [row["words"], row["mode"] if modes else ""]))
        texts_of = rows.setdefault(key, [name or shared, *[""] * len(found.gpus)])
        texts_of[1 + found.gpus.index(row["gpu"])] = texts.get((*key, row["gpu"]), "–")
    page.table(["problem", *found.gpus], list(rows.values()))


def _texts(
    found: Hardware, figure: Figure, over: Ratios | None, several: bool
) -> dict[tuple[str, str, str], str]:
    out = {}
    if over is not None:
        for row in over.rows.to_dict("records"):
            key = row["problem_key"], row["mode"], row["gpu"]
            bounds = ""
            if row["gpu"] != over.reference and not math.isnan(row["low"]):
                bounds = f" ({row['low']:.3g}–{row['high']:.3g})"
            out[key] = f"{row['ratio']:.3g}×{bounds}"
        return out
    for row in found.cells.to_dict("records"):
        value = row[figure.name] * (1 if figure.unit else 100)
        if not math.isnan(value):
            kernel = f" {row['kernel']}" if several else ""
            out[row["problem_key"], row["mode"], row["gpu"]] = f"{digits(value)}{kernel}"
    return out


def _means(page: Page, over: Ratios) -> None:
    page.heading(f"Geometric mean over {over.reference}")
    for mean in over.means:
        if mean.gpu != over.reference:
            text = f"{mean.gpu}: nothing in common"
            if mean.problems:
                text = (
                    f"{mean.gpu}: {mean.ratio:.3g}× over {mean.problems} problems "
                    f"({mean.least:.3g}× to {mean.most:.3g}×)"
                )
            page.line(text, 2)


def _roofline(page: Page, found: Hardware) -> None:
    page.heading("Of its own roofline")
    for gpu in found.gpus:
        mine = found.cells[found.cells["gpu"] == gpu]
        known = mine[mine["of_roofline"].notna()]
        if known.empty:
            page.line(f"{gpu}: not known (no peak of these dtypes in conf/gpu)", 2)
            continue
        share = known["of_roofline"] * 100
        memory = int((known["limit"] == "memory").sum())
        text = (
            f"{gpu}: {digits(share.median())} % in the median, {digits(share.min())} to "
            f"{digits(share.max())} % ({memory} of {len(known)} memory-bound)"
        )
        if (share > 100).any():
            text += "; above 100 % the time or the datasheet's figure is wrong"
        page.line(text, 2)


def _prediction(page: Page, coming: Prediction) -> None:
    known = not math.isnan(coming.factor)
    band = f", 95 % band ×/÷ {coming.factor:.3g}" if known else ""
    page.heading(f"{coming.gpu}, predicted by roofline{band}")
    rows = coming.rows
    shared, words = common_words(rows)
    sources = sorted({name for text in rows["sources"] for name in text.split(", ")})
    page.line(f"{shared}; from {', '.join(sources)}")
    page.table(
        ["problem", "kernel", "ms", "band", "bound by", "of roofline"],
        [
            [
                word or shared,
                str(row["kernel"]),
                digits(row["latency_ms"]),
                f"{digits(row['low_ms'])} – {digits(row['high_ms'])}" if known else "not known",
                row["limit"],
                f"{row['of_roofline']:.0%}",
            ]
            for row, word in zip(rows.to_dict("records"), words, strict=True)
        ],
        left=(0, 1),
    )
    for one in coming.left_out:
        page.line(
            f"left out, {one.gpu} would have been predicted {_off(one.ratio)} on the average, and "
            f"within a factor {one.typical:.3g} in a typical cell ({one.cells} cells)",
            2,
        )
    if not known:
        page.line(
            "one GPU alone was measured: how wrong this is can't be told. Measure on another", 2
        )


def _off(ratio: float) -> str:
    return f"{abs(ratio - 1):.0%} too {'slow' if ratio > 1 else 'fast'}"


def _boards(page: Page, found: Hardware) -> None:
    if not found.boards:
        return
    page.heading("Boards of one model")
    table = pd.DataFrame(vars(board) for board in found.boards)
    for gpu, mine in table.groupby("gpu", sort=False):
        spread = mine["ratio"].max() / mine["ratio"].min() - 1
        page.line(f"{gpu}: {len(mine)} boards, {spread:.1%} between the slowest and the fastest")
        for row in mine.head(SHOWN_BOARDS).to_dict("records"):
            bounds = ""
            if not math.isnan(row["low"]):
                bounds = f" ({row['low'] - 1:+.1%} to {row['high'] - 1:+.1%})"
            where = f" on {row['host']}" if row["host"] else ""
            text = f"{row['uuid']}{where}: {row['ratio'] - 1:+.1%}{bounds}, {row['cells']} cells"
            page.line(text, 2)
        if len(mine) > SHOWN_BOARDS:
            page.line(f"and {len(mine) - SHOWN_BOARDS} more (--format json has all)", 2)
