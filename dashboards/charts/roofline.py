"""Roofline (Williams, Waterman, Patterson 2009): what a kernel reaches of what the device can.

Over arithmetic intensity (FLOPs of the problem over the bytes that it must move at least) stands
throughput; the roof is the lower of peak and bandwidth × intensity. A panel for each device and
dtype, since each dtype has a peak of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from dashboards import theme, tidy
from dashboards.charts.axes import log_ticks
from dashboards.charts.lines import legend_entry
from dashboards.charts.lines import panels as in_panels
from dashboards.charts.rows import HEIGHT, link, part, plain
from dashboards.formats import is_missing, listing, number
from harness.analysis.peaks import find_gpu
from harness.model import Gpu

TITLE = "Roofline"
DECODE_QUERIES = 16
"""Up to so many query tokens against a longer context is decoding."""
PHASES = {"prefill": "circle", "decode": "triangle-up"}


@dataclass(frozen=True)
class Roof:
    """What limits a device in one dtype."""

    panel: str
    """Panel that it stands in."""
    gpu: Gpu
    """The facts, with their source."""
    dtype: str
    """Element type of the peak."""
    peak_tflops: float
    """Dense peak, TFLOP/s."""
    bandwidth_gb_s: float
    """Memory bandwidth, GB/s."""

    @property
    def ridge(self) -> float:
        """Intensity where the two limits meet, FLOP/B."""
        return self.peak_tflops * 1000 / self.bandwidth_gb_s

    def at(self, intensity: float) -> float:
        """The roof over an intensity (FLOP/B), TFLOP/s."""
        return min(self.peak_tflops, self.bandwidth_gb_s * intensity / 1000)


def placed(cells: pd.DataFrame) -> pd.DataFrame:
    """The ok cells with ``intensity`` (FLOP/B), ``phase`` and the panel of the roofline."""
    frame = tidy.prepare(cells)
    for name in ("flops", "min_bytes"):
        if name not in frame:
            frame = frame.assign(**{name: None})
    ok = frame[(frame["status"] == "ok") & (frame["tflops"].astype(float) > 0)].copy()
    ok["intensity"] = ok["flops"].astype(float) / ok["min_bytes"].astype(float)
    ok = ok[ok["intensity"] > 0]
    few = (ok["seq_q"] <= DECODE_QUERIES) & (ok["seq_q"] < ok["seq_k"])
    ok["phase"] = few.map({True: "decode", False: "prefill"})
    ok["panel"] = ok["machine"].astype(str) + " · " + ok["dtype"].astype(str)
    return ok


def roofs(placed: pd.DataFrame, gpus: Mapping[str, Gpu] | None) -> list[Roof]:
    """The roof of each panel whose device has known figures."""
    out = []
    for panel, group in placed.groupby("panel", sort=False):
        first = group.iloc[0]
        gpu = find_gpu(gpus, first["gpu"], first["device"], first.get("memory_bytes"))
        if gpu is None or gpu.bandwidth_gb_s is None:
            continue
        peak = gpu.peak(first["dtype"])
        if peak is not None:
            out.append(Roof(str(panel), gpu, first["dtype"], peak, gpu.bandwidth_gb_s))
    return out


def roofline(
    cells: pd.DataFrame,
    *,
    kernels: Sequence[str] | None = None,
    gpus: Mapping[str, Gpu] | None = None,
) -> Any:
    """The chart of ``cells``; ``gpus`` are the hardware facts, without which there is no roof."""
    ok = placed(cells)
    if ok.empty:
        return theme.message(
            TITLE, "No cell has a throughput yet. attnbench run experiment=quickstart"
        )
    known = roofs(ok, gpus)
    rows = [_row(cell) for cell in tidy.records(ok)]
    names = sorted(set(ok["panel"]))
    span = _span(ok, known)
    rows += [row for roof in known for row in _roof(roof, span)]
    shown = list(kernels or sorted(set(ok["label"])))
    least = min(row["tflops"] for row in rows if "tflops" in row)
    most = max(row["tflops"] for row in rows if "tflops" in row)
    chart = in_panels(_layers(shown, span, (least, most), known, rows), rows, names, HEIGHT + 40)
    lacking = len(names) - len(known)
    note = "No peak is known for this device, so it has no roof." if not known else ""
    note = note or ("Panels without a roof: their peak is not known." if lacking else "")
    return theme.finish(
        chart,
        title=TITLE,
        subtitle="FLOPs of the problem over the least bytes that it moves, and what was reached. "
        f"Circles: prefill, triangles: decode. {note}".strip(),
        description="Scatter plot of throughput in TFLOP/s over arithmetic intensity in FLOP per "
        f"byte, both on log axes, for {listing(shown)} under the roof of peak and bandwidth; a "
        f"panel each for {listing(names)}.",
        layout={
            "panels": len(names),
            "panel_width": 340,
            "columns": 2,
            "chrome": 80,
            "legend_entry": legend_entry(shown),
        },
    )


def _row(cell: dict[str, Any]) -> dict[str, Any]:
    row = {"panel": cell["panel"], "part": "value", "kernel": cell["label"]}
    row |= {"problem": cell["problem"], "phase": cell["phase"]}
    for name in ("intensity", "tflops", "latency_ms", "bandwidth_gb_s", "peak_share"):
        if not is_missing(cell.get(name)):
            row[name] = plain(cell[name])
    if not is_missing(cell["href"]):
        row["href"] = cell["href"]
    return row


def _span(ok: pd.DataFrame, known: list[Roof]) -> tuple[float, float]:
    """Intensities that the axis has: all points, and the ridges."""
    ends = [*ok["intensity"], *(roof.ridge for roof in known)]
    return float(min(ends)) / 2, float(max(ends)) * 2


def _roof(roof: Roof, span: tuple[float, float]) -> list[dict[str, Any]]:
    base = {"panel": roof.panel, "part": "roof"}
    at = sorted({span[0], roof.ridge, span[1]})
    lines = [base | {"intensity": plain(x), "tflops": plain(roof.at(x))} for x in at]
    texts = (
        f"{number(roof.peak_tflops)} TFLOP/s {roof.dtype}, {number(roof.bandwidth_gb_s)} GB/s",
        f"({roof.gpu.source})" if roof.gpu.source else "",
    )
    return lines + [
        base | {"part": "key", "text": text, "up": 14 + 14 * i}
        for i, text in enumerate(filter(None, texts))
    ]


def _layers(
    kernels: Sequence[str],
    span: tuple[float, float],
    reach: tuple[float, float],
    known: list[Roof],
    rows: list[dict[str, Any]],
) -> list[Any]:
    def axis(field: str, title: str, low: float, high: float, cls: Any) -> Any:
        ticks = log_ticks(low, high)
        label = alt.Axis(values=ticks, labelExpr="format(datum.value, ',.6~r')")
        scale = alt.Scale(type="log", nice=False, domain=[low, high])
        return cls(f"{field}:Q", title=title, scale=scale, axis=label)

    x = axis("intensity", "Arithmetic intensity (FLOP/B)", plain(span[0]), plain(span[1]), alt.X)
    head = 6 if known else 2  # room above for the roof's words
    low, high = plain(reach[0] / 2), plain(reach[1] * head)
    y = axis("tflops", "Throughput (TFLOP/s)", low, high, alt.Y)
    shape = alt.Shape(
        "phase:N",
        title="Phase",
        scale=alt.Scale(domain=list(PHASES), range=list(PHASES.values())),
        legend=None,
    )
    tips = [
        alt.Tooltip("kernel:N", title="Kernel"),
        alt.Tooltip("problem:N", title="Problem"),
        alt.Tooltip("phase:N", title="Phase"),
        alt.Tooltip("tflops:Q", title="Throughput (TFLOP/s)", format=",.3~r"),
        alt.Tooltip("intensity:Q", title="Intensity (FLOP/B)", format=",.3~r"),
        alt.Tooltip("latency_ms:Q", title="Latency (ms)", format=",.3~r"),
        alt.Tooltip("share:N", title="Share of peak"),
    ]
    share = "isValid(datum.peak_share) ? format(datum.peak_share, '.1%') : 'unknown'"
    points = (
        part("value")
        .transform_calculate(share=share)
        .mark_point(filled=True, size=56, opacity=0.85)
    )
    encoded = points.encode(
        x, y, theme.kernel_colour(kernels), shape, tooltip=tips, **link(rows, tips)
    )
    if not known:
        return [encoded]
    look = {"strokeDash": [5, 4], "strokeWidth": 1.5, "color": theme.LIGHT["muted"]}
    words = part("key").mark_text(
        align="left", baseline="middle", fontSize=11, color=theme.LIGHT["muted"]
    )
    return [
        part("roof").mark_line(**look).encode(x, y),
        encoded,
        words.encode(x=alt.value(8), y=alt.Y("up:Q", scale=None, axis=None), text="text:N"),
    ]
