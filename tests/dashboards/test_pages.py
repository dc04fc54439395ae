"""The contract of pages, held to every file of dashboards/pages; and Markdown and pictures."""

from __future__ import annotations

import pytest

from dashboards.pages import built, chart_named, chart_names, page_named, pages
from dashboards.render.image import picture
from dashboards.report import write_report
from harness.analysis.view import View
from harness.errors import ConfigError
from tests.dashboards import frames

HOSTILE = "<b>|x|</b>\n# `title` [a](javascript:1)"


def test_a_page_that_is_not_there_is_refused_with_a_hint():
    with pytest.raises(ConfigError, match=r"no page 'swep'. Did you mean sweep"):
        page_named("swep")
    with pytest.raises(ConfigError, match=r"no chart 'latncy'. Did you mean latency"):
        chart_named("latncy", frames.FrameSource(frames.sweep()))


def test_a_page_says_what_it_is_for():
    for page in pages().values():
        assert page.TITLE
        assert page.QUESTION.endswith("?")
        assert page.__doc__


def test_the_charts_of_a_page_are_those_it_names():
    frame = frames.sweep()
    frame["energy_j"] = frame["latency_ms"] / 10
    content = built(page_named("sweep"), frames.FrameSource(frame))
    drawn = [section.id for section in content.sections if section.chart is not None]
    assert drawn == list(page_named("sweep").CHARTS)
    assert set(drawn) <= set(chart_names())


def test_markdown_has_the_tables_and_no_markup_of_names(tmp_path):
    frame = frames.sweep(kernels=["eager", "sdpa_flash"], workloads=["gpt2"], dtypes=["fp32"])
    frame["workload"] = HOSTILE
    text = write_report(frames.FrameSource(frame), tmp_path / "report.md").read_text()
    assert "| Problem | Length | Fastest |" in text
    assert "<b>" not in text
    assert "[a](" not in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    widths = {line.replace("\\|", "").count("|") for line in table[:6]}
    assert len(widths) == 1


def test_a_chart_is_a_picture_light_and_dark():
    source = frames.FrameSource(frames.sweep(lengths=[128, 256]))
    chart = chart_named("latency", source).chart
    assert picture(chart, ".png").startswith(b"\x89PNG")
    light, dark = picture(chart, ".svg").decode(), picture(chart, ".svg", dark=True).decode()
    assert "#ffffff" in light
    assert "#14171c" in dark
    assert "#ffffff" not in dark
    with pytest.raises(ConfigError, match=r"as \.png or \.svg, not \.pdf"):
        picture(chart, ".pdf")


def test_a_kernel_keeps_its_colour_whatever_else_is_drawn():
    frame = frames.sweep()
    few = frames.FrameSource(frame[frame.kernel.isin(["eager", "sdpa_flash"])])
    few.kernels = sorted(set(frame.kernel))

    def colours(source):
        scale = chart_named("latency", source).chart.to_dict()["spec"]["layer"]
        domain = next(
            layer["encoding"]["color"]["scale"]
            for layer in scale
            if "scale" in layer.get("encoding", {}).get("color", {})
        )
        return dict(zip(domain["domain"], domain["range"], strict=True))

    everything = colours(frames.FrameSource(frame))
    assert colours(few) == {k: everything[k] for k in ("eager", "sdpa_flash")}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"kernle": "x"}, "'kernle' is no filter. Did you mean kernel"),
        ({"since": "soon"}, "neither an age"),
    ],
)
def test_a_link_that_says_nonsense_is_refused(params, message):
    with pytest.raises(ConfigError, match=message):
        View.from_params(params)


def test_a_view_goes_into_a_link_and_back():
    view = View(sweep="all", kernel=("sdpa_*", "eager"), dtype=("bf16",), since="7d")
    assert View.from_params(view.to_params()) == view
    assert View().to_params() == {}
    assert View.from_params({"kernel": "eager,flex"}).kernel == ("eager", "flex")
