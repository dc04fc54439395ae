"""Every page of the site in a real browser, from a real store: asks for nothing, trusts no one."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dashboards.pages import pages
from dashboards.report import LINK, write_site
from dashboards.source import Source
from harness.analysis.view import View
from harness.config.catalog import gpus
from harness.model import Accuracy, Device, Record, Status, Sweep
from harness.store import open_store
from tests.store.make import DEVICE, KERNEL, SWEEP, failure, problem, record

HOSTILE = """</script><img src=x onerror="window.owned=1"><b>'&amp;"""
KERNELS = ("eager", "sdpa_flash", HOSTILE)
LENGTHS = (256, 512, 1024, 2048)
LATER = replace(SWEEP, id="20260201-000000-bbbbbb", started_at="2026-02-01T00:00:00.000000+00:00")
FILES = {name: "index.html" if name == "sweep" else f"{name}.html" for name in pages()}


H200 = replace(DEVICE, model="NVIDIA H200", uuid="GPU-2", memory_bytes=150_000_000_000)


def measured(kernel: str, length: int, operator: str, device: Device, sweep: Sweep) -> Record:
    """A record; errors double in the later sweep."""
    decode = operator == "decode"
    size = problem(
        seq_q=1 if decode else length, seq_k=length, operator=operator, causal=True,
        cache="contiguous" if decode else "",
    )  # fmt: skip
    slow = (1 + KERNELS.index(kernel)) * length / 1e3
    return record(
        1, kernel=replace(KERNEL, name=kernel, operator=operator), problem=size, device=device,
        gpu="h200" if device is H200 else "h100", sweep_id=sweep.id, started_at=sweep.started_at,
        samples_ms=tuple(slow * (1 + i / 500) for i in range(20)),
        accuracy=Accuracy(2e-3 if sweep is LATER else 1e-3, 1e-3, 0.9999, 1e-3),
    )  # fmt: skip


def fill(path: Path) -> None:
    """Two sweeps of three kernels on two boards, prefill and decode, with a failure and a skip."""
    cells = list(itertools.product(KERNELS, LENGTHS, ("attention", "decode"), (DEVICE, H200)))
    with open_store(str(path), create=True) as store:
        for sweep in (SWEEP, LATER):
            store.start_sweep(sweep)
            store.append_many(measured(*cell, sweep) for cell in cells)
            for number, status in ((1, Status.OUT_OF_MEMORY), (2, Status.SKIPPED)):
                store.append(replace(failure(number, status), sweep_id=sweep.id))
            store.finish_sweep(sweep.id, "done")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of a store with two sweeps."""
    folder = tmp_path_factory.mktemp("site")
    fill(folder / "a.db")
    with open_store(str(folder / "a.db"), read_only=True) as store:
        return write_site(Source(store, View(sweep="all"), gpus(), link=LINK), folder).parent


@pytest.mark.parametrize("name", FILES)
def test_every_page_draws_its_charts_and_asks_for_nothing(
    name: str, site: Path, visit: Callable[..., Any]
) -> None:
    opened = visit(site / FILES[name])
    assert opened.console == []
    assert set(opened.requests) <= {(site / FILES[name]).as_uri(), (site / "vega.js").as_uri()}
    places = opened.run("document.querySelectorAll('[data-chart]').length")
    drawn = opened.run("document.querySelectorAll('[data-chart] svg.marks').length")
    messages = opened.run("document.querySelectorAll('[data-message]').length")
    assert drawn == places
    tables = opened.run("document.querySelectorAll('table').length")
    # a store in which nothing moved has no event to draw, and its page says so
    quiet = name == "triage" and "Nothing moved." in opened.run("document.body.innerText")
    assert places + messages + tables >= 1 or quiet
    assert opened.run("window.owned") is None
    assert opened.run("document.querySelectorAll('img').length") == 0
    assert opened.run("document.documentElement.scrollWidth <= window.innerWidth")
    question = opened.run("document.body.innerText")
    assert pages()[name].QUESTION in question


@pytest.mark.parametrize("name", ["index.html", "roofline.html", "accuracy.html", "memory.html"])
def test_charts_have_the_marks_that_the_data_calls_for(
    name: str, site: Path, visit: Callable[..., Any]
) -> None:
    opened = visit(site / name)
    points = "document.querySelectorAll('svg.marks path[aria-roledescription=point]').length"
    assert opened.run(points) >= len(KERNELS) * len(LENGTHS)


def test_a_hostile_kernel_is_text_on_the_page_of_results(
    site: Path, visit: Callable[..., Any]
) -> None:
    opened = visit(site / "result.html")
    assert HOSTILE in opened.run("document.body.innerText")


def test_tables_sort_by_a_heading_and_filter(site: Path, visit: Callable[..., Any]) -> None:
    opened = visit(site / "result.html")
    column = (
        "[...document.querySelectorAll('tbody tr:not([hidden])')].map(r => r.cells[%d].innerText)"
    )
    opened.page.get_by_role("button", name="Latency, ms").click()
    times = [float(text.split()[0]) for text in opened.run(column % 5) if text != "–"]
    assert times == sorted(times)
    assert len(times) == len(KERNELS) * len(LENGTHS) * 4
    opened.page.get_by_role("button", name="Latency, ms").click()
    again = [float(text.split()[0]) for text in opened.run(column % 5) if text != "–"]
    assert again == times[::-1]
    opened.page.get_by_role("searchbox").fill("sdpa_flash 2048")
    assert set(opened.run(column % 0)) == {"sdpa_flash"}
    assert opened.console == []


def test_a_point_says_what_it_is_and_not_its_address(site: Path, visit: Callable[..., Any]) -> None:
    opened = visit(site / "index.html")
    point = opened.page.locator("#latency path[aria-roledescription=point]").first
    label = point.get_attribute("aria-label")
    assert label.startswith("Kernel: ")
    assert "Latency (ms): " in label
    assert "result.html" not in label


def test_a_point_leads_to_its_measurement(site: Path, visit: Callable[..., Any]) -> None:
    opened = visit(site / "index.html")
    opened.page.click("#latency path[aria-roledescription=point] >> nth=2")
    opened.page.wait_for_url(re.compile(r"/result\.html#."))
    anchor = opened.run("decodeURIComponent(location.hash.slice(1))")
    assert opened.run(f"document.getElementById({anchor!r}) !== null")


@pytest.mark.parametrize("name", FILES)
def test_a_phone_never_scrolls_the_page_sideways(
    name: str, site: Path, visit: Callable[..., Any]
) -> None:
    opened = visit(site / FILES[name], width=390)
    assert opened.console == []
    assert opened.run("document.documentElement.scrollWidth <= window.innerWidth")


def test_every_page_of_an_empty_store_says_what_to_do(
    tmp_path: Path, visit: Callable[..., Any]
) -> None:
    open_store(str(tmp_path / "a.db"), create=True).close()
    with open_store(str(tmp_path / "a.db"), read_only=True) as store:
        write_site(Source(store, View(sweep="all"), gpus(), link=LINK), tmp_path)
    for name in FILES.values():
        opened = visit(tmp_path / name)
        assert opened.console == []
        assert "attnbench " in opened.run("document.body.innerText")
