"""How much memory keys and values take, by length: heads shared, compressed, quantised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from dashboards import theme
from dashboards.charts.axes import SHORT_LENGTH, log_ticks
from dashboards.charts.rows import plain
from dashboards.formats import listing
from harness.analysis.kv_cache import Cache
from harness.model import Gpu

TITLE = "KV cache over context length"
APART = 1.6
"""Sizes of memory that are named are at least so many times the next smaller one."""
LENGTHS = tuple(2**i for i in range(10, 21, 2))


def memory_steps(gpus: Mapping[str, Gpu]) -> list[tuple[float, list[str]]]:
    """Sizes of memory (GB) that GPUs have, each with their names, the smallest first."""
    sizes: dict[float, list[str]] = {}
    for gpu in gpus.values():
        if gpu.memory_gb:
            sizes.setdefault(float(gpu.memory_gb), []).append(gpu.name)
    return sorted(sizes.items())


def kv_cache(caches: Sequence[Cache], gpus: Mapping[str, Gpu]) -> Any:
    """The chart of ``caches``, with a rule for each size of memory among ``gpus``."""
    names = [cache.name for cache in caches]
    rows: list[dict[str, Any]] = [
        {"cache": c.name, "length": n, "gb": plain(c.total_bytes(n) / 1e9), "part": "line"}
        for c in caches
        for n in LENGTHS
    ]
    steps = memory_steps(gpus)
    drawn = 0.0
    for size, who in steps:  # sizes that lie close would write over each other: the table has all
        if size >= drawn * APART:
            drawn = size
            rows.append(
                {"part": "gpu", "gb": size, "text": f"{size:g} GB: {listing(sorted(who), 3)}"}
            )
    numbers = [row["gb"] for row in rows]
    low, high = min(numbers), max(numbers)
    x = alt.X(
        "length:Q",
        title="Context length (tokens)",
        scale=alt.Scale(type="log", base=2, nice=False, domain=[LENGTHS[0], LENGTHS[-1]]),
        axis=alt.Axis(values=list(LENGTHS), labelExpr=SHORT_LENGTH, grid=False),
    )
    y = alt.Y(
        "gb:Q",
        title="KV cache of one sequence, all layers (GB)",
        scale=alt.Scale(type="log", nice=False, domain=[low, high]),
        axis=alt.Axis(values=log_ticks(low, high), labelExpr="format(datum.value, ',.6~r')"),
    )
    colour = alt.Color(
        "cache:N",
        title=None,
        scale=alt.Scale(domain=names, range=list(theme.PALETTE[: len(names)])),
        legend=alt.Legend(),
    )
    tips = [
        alt.Tooltip("cache:N", title="Cache"),
        alt.Tooltip("length:Q", title="Tokens", format=",d"),
        alt.Tooltip("gb:Q", title="KV cache (GB)", format=",.3~r"),
    ]
    base = alt.Chart()
    lines = base.transform_filter("datum.part == 'line'")
    limits = base.transform_filter("datum.part == 'gpu'")
    muted = theme.LIGHT["muted"]
    chart = alt.layer(
        limits.mark_rule(strokeDash=[2, 4], color=muted).encode(y),
        limits.mark_text(
            align="left", baseline="bottom", dx=4, dy=-2, fontSize=10.5, color=muted
        ).encode(y, x=alt.value(0), text="text:N"),
        lines.mark_line(strokeWidth=2).encode(x, y, colour),
        lines.mark_point(filled=True, size=46, opacity=1).encode(x, y, colour, tooltip=tips),
        data=theme.inline(rows),
    ).properties(width=560, height=430)
    return theme.finish(
        chart,
        title=TITLE,
        subtitle="By formula, for batch 1. Dashed: memory of some GPUs; weights and activations "
        "come on top. GB = 10⁹ bytes.",
        description="Line chart of the size of a key-value cache in gigabytes over context length "
        f"in tokens, both on log axes, for {listing(names)}, beside the memory of GPUs.",
        layout={
            "panels": 1,
            "panel_width": 300,
            "columns": 1,
            "widest": 900,
            "chrome": 70,
            "legend_entry": 7 * max(map(len, names), default=0) + 40,
        },
    )
