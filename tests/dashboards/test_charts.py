"""Chart functions on tidy frames: what is drawn, of which data, and how it is said in words."""

from __future__ import annotations

import inspect
import math

import pytest
import vl_convert

from dashboards import charts, theme, tidy
from dashboards.charts.axes import log_ticks
from harness.analysis.query import cells
from tests.dashboards import frames

ALL = [getattr(charts, name) for name in charts.__all__]


@pytest.fixture(scope="module")
def sweep():
    return cells(frames.sweep())


@pytest.fixture(scope="module")
def gpu():
    return cells(frames.hopper(outcomes=False))


def rows(chart, part=None):
    _, values = theme.without_rows(chart.to_dict())
    return [row for row in values if part is None or row["part"] == part]


def marks(chart):
    layers = chart.to_dict()["spec"]["layer"]
    return [layer["mark"]["type"] for layer in layers]


def channels(chart, name):
    layers = chart.to_dict()["spec"]["layer"]
    return [layer["encoding"][name] for layer in layers if name in layer.get("encoding", {})]


@pytest.mark.parametrize("chart", ALL, ids=charts.__all__)
def test_every_chart_has_a_title_axis_titles_tooltips_and_alt_text(chart, sweep):
    measured = sweep.assign(energy_j=sweep["latency_ms"] / 10)  # which is asked for apart
    spec = chart(measured).to_dict()
    assert spec["title"]["text"] or spec["title"]
    assert len(spec["description"]) > 40
    layers = spec["spec"]["layer"] if "spec" in spec else [spec]
    titles = {
        axis["title"]
        for layer in layers
        for axis in (layer["encoding"].get("x"), layer["encoding"].get("y"))
        if axis and axis.get("title")
    }
    assert titles
    tips = [tip["title"] for layer in layers for tip in layer["encoding"].get("tooltip", [])]
    assert {"Kernel", "Problem"} <= set(tips) or "For example" in tips


@pytest.mark.parametrize("chart", ALL, ids=charts.__all__)
@pytest.mark.parametrize("which", ["sweep", "one_length", "one_cell", "all_failed"])
def test_every_chart_compiles_to_vega_and_draws(chart, which):
    frame = {
        "sweep": frames.hopper,
        "one_length": lambda: frames.sweep(lengths=[512]),
        "one_cell": lambda: frames.frame_of([frames.record()]),
        "all_failed": lambda: frames.frame_of([frames.record(status="error", reason="boom")]),
    }[which]()
    spec = chart(cells(frame)).to_dict()
    svg = vl_convert.vegalite_to_svg(spec, vl_version="6.4")
    assert svg.startswith("<svg")
    assert "NaN" not in svg  # neither in a place nor in a tooltip
    assert "undefined" not in svg


@pytest.mark.parametrize("chart", ALL, ids=charts.__all__)
def test_an_empty_frame_gives_a_chart_that_says_so(chart):
    spec = chart(cells(frames.frame_of([]))).to_dict()
    assert spec["mark"]["type"] == "text"
    (row,) = theme.without_rows(spec)[1]
    assert len(row["text"]) > 20


def test_every_chart_takes_the_kernels_of_its_page():
    for chart in ALL:
        assert "kernels" in inspect.signature(chart).parameters


def test_latency_draws_lines_points_and_intervals_on_log_axes(sweep):
    chart = charts.latency(sweep)
    assert {"line", "point", "area", "rule", "text"} <= set(marks(chart))
    ok = sweep[sweep.status == "ok"]
    values = rows(chart, "value")
    assert len(values) == len(ok)
    assert sorted(r["latency_ms"] for r in values) == pytest.approx(sorted(ok.latency_ms), rel=1e-5)
    assert all(r["latency_low_ms"] <= r["latency_ms"] <= r["latency_high_ms"] for r in values)
    scales = [c["scale"] for c in channels(chart, "y") if c.get("title") == "Latency (ms)"]
    assert scales
    assert {s["type"] for s in scales} == {"log"}
    assert {c["scale"]["base"] for c in channels(chart, "x") if "scale" in c} == {2}


def test_latency_marks_what_failed_and_what_is_not_supported(sweep):
    chart = charts.latency(sweep)
    failed, skipped = rows(chart, "failed"), rows(chart, "skipped")
    assert len(failed) == (~sweep.status.isin(["ok", "skipped"])).sum() == 6
    assert len(skipped) == (sweep.status == "skipped").sum() == 30
    assert {"out of memory", "incorrect", "timeout"} == {r["status"] for r in failed}
    assert all(r["reason"] for r in failed + skipped)
    places = [(r["panel"], r["length"], r["up"]) for r in failed + skipped]
    assert len(set(places)) == len(places)  # none covers another


def test_latency_says_each_fitted_exponent():
    quadratic = [
        frames.record(seq_q=n, seq_k=n, latency_ms=1e-6 * n * n) for n in (512, 1024, 2048)
    ]
    (key,) = rows(charts.latency(cells(frames.frame_of(quadratic))), "key")
    assert key["text"] == "n^2.00 eager"
    two = cells(frames.frame_of(quadratic[:2]))
    assert rows(charts.latency(two), "key") == []


def test_latency_without_intervals_has_no_band():
    ends = {"latency_low_ms": math.nan, "latency_high_ms": math.nan}
    frame = frames.frame_of(frames.record(seq_q=n, seq_k=n, **ends) for n in (128, 256))
    assert "area" not in marks(charts.latency(cells(frame)))


def test_an_interval_without_end_does_not_flatten_the_chart():
    wide = frames.record(seq_q=256, seq_k=256, latency_low_ms=1e-9, latency_high_ms=1e9)
    chart = charts.latency(cells(frames.frame_of([frames.record(), wide])))
    drawn = [(r["from"], r["to"]) for r in rows(chart, "value")]
    assert min(low for low, _ in drawn) >= 0.5
    assert max(high for _, high in drawn) <= 2
    assert max(r["latency_high_ms"] for r in rows(chart, "value")) == 1e9  # for the tooltip


def test_one_length_is_bars_not_an_empty_line():
    chart = charts.latency(cells(frames.sweep(lengths=[512])))
    assert "line" not in marks(chart)
    assert "bar" in marks(chart)
    assert chart.to_dict()["title"]["text"] == "Latency at 512 tokens"


def test_a_kernel_has_one_colour_on_every_chart(sweep):
    names = tidy.kernels(tidy.prepare(sweep))
    expected = dict(zip(names, theme.colours(names), strict=True))
    for chart in (charts.latency, charts.throughput, charts.memory, charts.accuracy):
        drawn = chart(sweep[sweep.kernel != "numpy"], kernels=names)
        for colour in channels(drawn, "color"):
            scale = colour["scale"]
            assert dict(zip(scale["domain"], scale["range"], strict=True)) == expected


def test_panels_are_workloads_by_dtype(sweep):
    facet = charts.latency(sweep).to_dict()["facet"]
    assert facet["sort"] == ["gpt2 · fp32", "gpt2 · bf16", "llama3_8b · fp32", "llama3_8b · bf16"]


def test_throughput_draws_the_peak_only_where_it_is_known_and_near(gpu, sweep):
    assert rows(charts.throughput(sweep), "rule") == []
    assert "No peak is known" in charts.throughput(sweep).to_dict()["title"]["subtitle"]
    chart = charts.throughput(gpu)
    texts = {r["panel"]: r["text"] for r in rows(chart, "key")}
    assert texts["llama3_8b · bf16"].startswith("peak 989 TFLOP/s, best ")
    assert {r["panel"]: r["rule"] for r in rows(chart, "rule")}["gpt2 · fp32"] == pytest.approx(67)
    assert "gpt2 · bf16" not in {r["panel"] for r in rows(chart, "rule")}  # would flatten the rest


def test_speedup_is_a_diverging_log_heatmap_centred_on_one(sweep):
    chart = charts.speedup(sweep)
    spec = chart.to_dict()
    assert spec["title"]["text"] == "Speed-up over eager"
    (colour,) = [c for c in channels(chart, "color") if "scale" in c]
    low, middle, high = colour["scale"]["domain"]
    assert (low, middle) == (-high, 0)
    known = [r for r in rows(chart) if "log2" in r]
    for row in known:
        assert row["log2"] == pytest.approx(math.log2(row["speedup"]), rel=1e-2, abs=1e-3)
        assert row["text"].endswith("×")
    assert "eager" not in {r["kernel"] for r in rows(chart)}


def test_speedup_hatches_what_is_missing_and_says_why(sweep):
    chart = charts.speedup(sweep)
    missing = [r for r in rows(chart) if "log2" not in r]
    assert {r["text"] for r in missing} == {"skip", "wrong", "timeout", "no base"}
    assert all(r["note"] for r in missing)
    hatch = chart.to_dict()["spec"]["layer"][0]["mark"]["fill"]
    assert hatch["gradient"] == "linear"
    assert len(hatch["stops"]) > 8


def test_speedup_over_a_chosen_baseline(sweep):
    chart = charts.speedup(sweep, baseline="sdpa_math")
    assert chart.to_dict()["title"]["text"] == "Speed-up over sdpa_math"
    assert {r["kernel"] for r in rows(chart) if r.get("log2", -1) > 0} >= {"eager", "sdpa_flash"}


def test_accuracy_shows_rounding_beside_the_kernels_and_crosses_what_is_wrong(sweep):
    chart = charts.accuracy(sweep)
    wrong = rows(chart, "wrong")
    assert {(r["kernel"], r["status"]) for r in wrong} == {("eager_lowp", "incorrect")}
    rounding = rows(chart, "rounding")
    assert len(rounding) == 20  # one a panel and length
    assert all(r["max_error"] > 0 for r in rounding)


def test_memory_leaves_out_what_a_log_axis_cannot_show():
    frame = frames.frame_of(
        [frames.record(peak_memory_mb=0.0), frames.record(seq_q=64, seq_k=64, peak_memory_mb=2.0)]
    )
    chart = charts.memory(cells(frame))
    assert [r["peak_memory_mb"] for r in rows(chart, "value")] == [2.0]
    assert "1 cell below" in chart.to_dict()["title"]["subtitle"]


def test_failures_count_cells_by_kernel_and_reason(sweep):
    data = rows(charts.failures(sweep))
    assert sum(r["cells"] for r in data) == (sweep.status != "ok").sum()
    by = {(r["kernel"], r["status"]): r["cells"] for r in data}
    assert by["numpy", "skipped"] == 10
    assert by["eager_lowp", "incorrect"] == 4


@pytest.mark.parametrize(
    ("low", "high", "least", "most"), [(0.1, 0.3, 2, 9), (1, 90, 4, 8), (1e-3, 1e4, 7, 9)]
)
def test_log_ticks_are_neither_many_nor_none(low, high, least, most):
    inside = [t for t in log_ticks(low, high) if low <= t <= high]
    assert least <= len(inside) <= most
