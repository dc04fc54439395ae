"""The report in a real browser: draws everything, asks for nothing, fits a phone, trusts no one."""

from __future__ import annotations

import itertools
import re
import stat
from html.parser import HTMLParser

import pandas as pd
import pytest

from dashboards import report
from dashboards.report import write_report
from tests.dashboards import frames

COMMAND = "attnbench run experiment=quickstart"
HOSTILE = """</script><img src=x onerror="window.owned=1"><!--<b>'&amp;{{7*7}}"""
NO_OVERFLOW = "document.documentElement.scrollWidth <= window.innerWidth"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    frame = pd.concat([frames.sweep(), frames.hopper(workloads=["gpt2"])], ignore_index=True)
    where = tmp_path_factory.mktemp("report") / "report.html"
    return write_report(frames.FrameSource(frame, commands=[COMMAND]), where)


def words(opened) -> str:
    return opened.run("document.body.innerText")


def test_every_chart_is_drawn_and_nothing_is_asked_for(path, visit):
    opened = visit(path)
    assert opened.requests == [path.as_uri()]
    assert opened.console == []
    places = opened.run("document.querySelectorAll('[data-chart]').length")
    assert places == 6
    assert opened.run("document.querySelectorAll('[data-chart] svg.marks').length") == places
    points = opened.run(
        "document.querySelectorAll('#latency path[aria-roledescription=point]').length"
    )
    assert points > 100
    assert opened.run(
        "[...document.querySelectorAll('svg.marks')].every("
        "s => s.closest('[role=graphics-document]').getAttribute('aria-label').length > 40)"
    )
    assert opened.run(NO_OVERFLOW)


def test_the_headline_says_what_where_when_and_how_it_went(path, visit):
    text = words(visit(path))
    for expected in (
        "AMD EPYC 9V74, 2 threads",
        "NVIDIA H200",
        "2026-11-03",
        "128 to 2,048 tokens",
        "gpt2 and llama3_8b",
        "failed",
        "skipped",
        "sdpa_flash is the fastest on",
        "over eager",
        "from results/attnbench.db",
        COMMAND,
        "CPU allocator: 2.1 GB asked for, 1.6 GB free",
        "2.13.0+cu130",
        "580.65",
        "4882f3f",
    ):
        assert expected in text


def test_a_table_stands_behind_every_chart(path, visit):
    opened = visit(path)
    without = opened.run(
        "[...document.querySelectorAll('section')].filter(s => s.querySelector('[data-chart]')"
        " && !s.querySelector('table')).map(s => s.id)"
    )
    assert without == []
    opened.page.click("#latency summary")
    assert opened.page.is_visible("#latency table")
    assert opened.run("document.querySelectorAll('#latency tbody tr').length") == 30


def test_a_phone_scrolls_charts_and_tables_but_never_the_page(path, visit):
    opened = visit(path, width=390)
    opened.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert opened.run(NO_OVERFLOW)
    too_wide = opened.run(
        "[...document.querySelectorAll('#latency svg, #accuracy svg, #throughput svg')]"
        ".filter(s => s.getBoundingClientRect().width > window.innerWidth).length"
    )
    assert too_wide == 0
    assert opened.console == []


def test_turning_the_phone_and_switching_to_dark_draw_again(path, visit):
    opened = visit(path, width=390, color_scheme="light")
    width = "document.querySelector('#latency svg').getBoundingClientRect().width"
    before = opened.run(width)
    opened.page.set_viewport_size({"width": 1000, "height": 390})
    opened.page.wait_for_function(f"{width} > {before} + 200")
    fill = "document.querySelector('#failures svg rect.background')?.getAttribute('fill') ?? ''"
    ink = "getComputedStyle(document.body).backgroundColor"
    assert opened.run(ink) == "rgb(255, 255, 255)"
    opened.page.emulate_media(color_scheme="dark")
    opened.page.wait_for_function(
        "[...document.querySelectorAll('#failures svg *')].some(e => e.getAttribute('fill') ==="
        " '#e6e9ed')"
    )
    assert opened.run(ink) == "rgb(20, 23, 28)"
    assert opened.run(fill) != "#ffffff"
    assert opened.console == []


def test_hovering_a_point_tells_its_kernel_problem_and_interval(path, visit):
    opened = visit(path)
    opened.page.hover("#latency path[aria-roledescription=point] >> nth=3")
    opened.page.wait_for_selector("#vg-tooltip-element.visible")
    tip = opened.page.inner_text("#vg-tooltip-element")
    for title in ("Kernel", "Problem", "Latency (ms)", "95 % interval", "TFLOP/s", "Status"):
        assert title in tip


def test_a_hostile_name_is_text_everywhere(tmp_path, visit):
    frame = frames.sweep(kernels=["eager", "sdpa_flash"], workloads=["gpt2"], dtypes=["fp32"])
    other = frame[frame.kernel == "sdpa_flash"].copy()
    other["kernel"] = HOSTILE
    other["job_key"] = HOSTILE + other["job_key"]
    other["reason"] = HOSTILE
    other.loc[other.seq_q == 128, "status"] = "error"
    frame = pd.concat([frame, other], ignore_index=True)
    for column in ("workload", "experiment", "device", "torch", "library", "problem", "flags"):
        frame[column] = HOSTILE
    opened = visit(
        write_report(
            frames.FrameSource(frame, commands=[HOSTILE], baseline=HOSTILE), tmp_path / "r.html"
        )
    )
    opened.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    opened.page.hover("#latency path[aria-roledescription=point] >> nth=3")
    opened.page.wait_for_selector("#vg-tooltip-element.visible")
    assert opened.run("window.owned") is None
    assert opened.run("document.querySelectorAll('img').length") == 0
    assert opened.run("document.querySelectorAll('[data-chart] svg.marks').length") == 6
    assert opened.console == []
    assert len(opened.requests) == 1
    assert words(opened).count(HOSTILE) > 10
    assert HOSTILE in opened.page.title()
    assert opened.run("document.querySelectorAll('script').length") == 4


def test_nothing_measured_says_what_to_do(tmp_path, visit):
    opened = visit(write_report(frames.FrameSource(frames.frame_of([])), tmp_path / "r.html"))
    assert "attnbench run experiment=quickstart" in words(opened)
    assert opened.console == []


def test_everything_failed_says_why(tmp_path, visit):
    rows = [frames.record(kernel=k, status="error", reason="boom") for k in ("a", "b")]
    opened = visit(write_report(frames.FrameSource(frames.frame_of(rows)), tmp_path / "r.html"))
    text = words(opened)
    assert "Nothing was measured successfully" in text
    assert "boom" in text
    assert opened.console == []


class Tags(HTMLParser):
    """Collects what could fetch something."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("src", "href", "srcset", "action", "data", "poster"):
                self.found.append((tag, name, value))


def test_the_file_forbids_itself_the_network(path):
    text = path.read_text()
    tags = Tags()
    tags.feed(text)
    assert {v for _, _, v in tags.found if not v.startswith("#")} == {"data:,"}
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]
    assert "default-src 'none'" in policy
    assert "http" not in policy


def test_2000_cells_stay_below_5_mb(tmp_path):
    kernels = [f"kernel_{i}" for i in range(10)]
    workloads = [f"workload_{i}" for i in range(10)]
    lengths = [2**i for i in range(7, 17)]
    frame = frames.sweep(kernels, workloads, lengths=lengths, launches=1, outcomes=False)
    assert len(frame) == 2000
    size = write_report(frames.FrameSource(frame), tmp_path / "r.html").stat().st_size
    assert size < 5e6


def test_many_kernels_are_all_in_the_tables_and_the_most_measured_in_the_charts(tmp_path):
    names = [f"kernel_{i:03}" for i in range(60)]
    frame = frames.sweep(names, ["gpt2"], ["fp32"], [128, 256], launches=1, outcomes=False)
    text = write_report(frames.FrameSource(frame), tmp_path / "r.html").read_text()
    assert "Charts draw 20 of 60 kernels" in text
    tables = text[: text.index('id="charts"')]
    assert all(name in tables for name in names)


def test_the_baseline_can_be_chosen_and_a_wrong_one_is_refused(tmp_path):
    frame = frames.sweep(workloads=["gpt2"], lengths=[128, 256])
    where = tmp_path / "r.html"
    chosen = write_report(frames.FrameSource(frame, baseline="sdpa_math"), where)
    assert "Speed-up over sdpa_math" in chosen.read_text()
    before = where.read_text()
    with pytest.raises(ValueError, match="no kernel named 'nope'"):
        write_report(frames.FrameSource(frame, baseline="nope"), where)
    assert where.read_text() == before


def test_the_file_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    where = tmp_path / "deep" / "report.html"
    report.write_whole(where, "first")
    assert stat.S_IMODE(where.stat().st_mode) & stat.S_IRUSR

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report.os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        report.write_whole(where, "second")
    assert where.read_text() == "first"
    assert list(where.parent.iterdir()) == [where]


def test_sections_have_ids_of_their_own(path):
    ids = re.findall(r'<section id="([^"]+)"', path.read_text())
    assert ids[:3] == ["fastest", "latency", "growth"]
    assert not [a for a, b in itertools.combinations(ids, 2) if a == b]
