"""Memory: what do keys and values take, what does a call add to it, and what fits on which GPU?"""

from __future__ import annotations

import pandas as pd

from dashboards import charts, tables, tidy
from dashboards.charts.kv_cache import kv_cache, memory_steps
from dashboards.content import Content, Section, Table
from dashboards.formats import count, listing, number
from dashboards.pages.sweep import drawable
from dashboards.source import Source
from dashboards.tables import value_of
from harness.analysis.kv_cache import caches

TITLE = "Memory"
QUESTION = "What do keys and values take, what does a call add, and what fits on which GPU?"
PLACE = 6
CHARTS = ("kv_cache", "peak_memory")


def build(source: Source) -> Content:
    """The caches' formulas, and the peak memory of the view's newest cells."""
    frame = source.frame
    sections = [
        Section(
            "kv_cache",
            "KV cache",
            "",
            kv_cache(caches(), source.gpus),
            _cache_table(),
            "bytes of the caches, and the models' sources",
        ),
        Section(
            "longest",
            "What fits",
            "Tokens whose cache alone fills a GPU's memory, batch 1: an upper end, since weights "
            "and activations need room too.",
            table=_longest_table(source),
            title="Longest context by GPU",
        ),
    ]
    if frame.empty:
        lead = "Nothing measured yet, so this is by formula alone. "
        return Content(lead + "Measure with: attnbench run experiment=quickstart", sections)
    drawn, note = drawable(frame, None)
    sections.append(
        Section(
            "peak_memory",
            "Peak memory",
            note,
            charts.memory(drawn, kernels=tidy.kernels(drawn)),
            tables.by_kernel(frame, value_of("peak_memory_mb")),
            "peak memory of a call, MB",
        )
    )
    fits = reach(frame)
    if fits.rows:
        sections.append(
            Section(
                "reach",
                "Reach",
                "Longest length that was measured, and the shortest that ran out of memory.",
                table=fits,
                title="How far each kernel came",
            )
        )
    return Content(_lead(frame), sections)


def _lead(frame: pd.DataFrame) -> str:
    full = frame[frame["status"] == "out_of_memory"]
    measured = int((frame["peak_memory_mb"].astype(float) > 0).sum())
    said = f"{count(measured, 'cell')} with their peak memory. "
    if full.empty:
        return said + "None ran out of memory."
    named = listing(sorted(set(full["label"])))
    return said + f"{count(len(full), 'cell')} ran out of memory, of {named}."


def _cache_table() -> Table:
    rows = []
    for cache in caches():
        sizes = [number(cache.total_bytes(n) / 1e9) for n in (4096, 32768, 131072)]
        row = [cache.name, cache.scheme, f"{cache.layers}", number(cache.bytes_per_token / 1e3)]
        rows.append([*row, *sizes, cache.source])
    columns = ["Cache", "Scheme", "Layers", "kB per token", "4k tokens, GB", "32k, GB", "128k, GB"]
    return Table([*columns, "Source"], rows, frozenset({2, 3, 4, 5, 6}), frozenset({7}))


def _longest_table(source: Source) -> Table:
    steps = memory_steps(source.gpus)
    known = caches()
    rows = [
        [listing(sorted(names), 6), f"{size:g}", *(f"{c.longest(size * 1e9):,}" for c in known)]
        for size, names in steps
    ]
    columns = ["GPU", "Memory, GB", *(f"{c.name}, tokens" for c in known)]
    return Table(columns, rows, frozenset(range(1, len(columns))))


def reach(frame: pd.DataFrame) -> Table:
    """A row for each panel and kernel that ran out of memory somewhere."""
    rows = []
    for (panel, kernel), group in frame.groupby(["panel", "label"], sort=False):
        full = group.loc[group["status"] == "out_of_memory", "length"]
        if full.empty:
            continue
        ok = group.loc[group["status"] == "ok", "length"]
        longest = f"{int(ok.max()):,}" if len(ok) else "none"
        rows.append([str(panel), str(kernel), longest, f"{int(full.min()):,}"])
    columns = ["Problem", "Kernel", "Longest measured, tokens", "Out of memory from, tokens"]
    return Table(columns, rows, frozenset({2, 3}))
