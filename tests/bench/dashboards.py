"""The pages at size: their data, the report of a sweep of 2,000 cells, the live app's first paint.

``--size`` says how many results the store holds: 100,000 by default, 1,000,000 is what is aimed at.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

from dashboards.pages import built, pages
from dashboards.render.html import vega
from dashboards.report import write_report
from dashboards.source import Source
from harness.analysis.view import View
from harness.config.catalog import gpus
from harness.store import open_store
from tests.bench.row import Row, row, timed
from tests.bench.synthetic import copies, first_sweep, sweep_of

REPEATS, VISITS = 3, 4
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def rows(size: int) -> Iterator[Row]:
    """Time them on SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.environ.get("ATTNBENCH_BENCH_STORE") or str(Path(folder) / "a.db")
        if not Path(path).exists():
            _fill(path, size)
        with open_store(path, read_only=True) as store:
            for name, page in pages().items():
                view = View(metric="latency_ms") if name == "triage" else View()
                times = [
                    timed(lambda p=page, v=view: built(p, Source(store, v, gpus()))) * 1e3  # type: ignore[misc]
                    for _ in range(REPEATS)
                ]
                yield row(f"{size:,}: page {name}, built", times, "ms", "< 500 ms")
            vega()  # once a process
            out, source = Path(folder) / "report.html", Source(store, View(), gpus())
            times = [timed(lambda: write_report(source, out)) for _ in range(REPEATS)]
            yield row("report of 2,000 cells", times, "s", "< 15 s")
            yield row("report of 2,000 cells, size", [out.stat().st_size / 1e6], "MB", "< 5 MB")
        yield row("live app, warm: first chart", list(_visits(path)), "s", "< 3 s")


def _fill(path: str, size: int) -> None:
    with open_store(path, create=True) as store:
        store.start_sweep(sweep_of(0))
        store.append_many(first_sweep())
        store.finish_sweep(sweep_of(0).id, "done")
        copies(store, path, size)


def _visits(path: str) -> Iterator[float]:
    """Seconds from a link to the first chart, each time in a browser that knows nothing yet."""
    from playwright.sync_api import sync_playwright

    browser_path = next(filter(None, map(shutil.which, BROWSERS)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = "from harness.cli import main; main()"
    command = [sys.executable, "-c", start, "dashboard", "--store", path, "--port", str(port)]
    program = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    try:
        address = f"http://127.0.0.1:{port}/"
        _until_up(f"{address}_stcore/health")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"]
            )
            for number in range(VISITS):
                taken = _visit(browser, address)
                if number:  # the first one warms the server
                    yield taken
            browser.close()
    finally:
        program.terminate()
        program.wait(30)


def _until_up(address: str) -> None:
    for _ in range(1200):
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            sleep(0.1)
    raise TimeoutError(address)


def _visit(browser: Any, address: str) -> float:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    start = perf_counter()
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("[data-testid=stVegaLiteChart] svg", timeout=120_000)
    taken = perf_counter() - start
    context.close()
    return taken
