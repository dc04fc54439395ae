"""The live app in a real browser, over a real store, from a server of its own."""

from __future__ import annotations

import html
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlencode

import pytest
from streamlit.testing.v1 import AppTest

import dashboards.live
from dashboards.content import Table
from dashboards.live.serve import STORE, must_be_free, settings
from dashboards.live.show import frame_of
from dashboards.pages import built, page_named, pages
from dashboards.source import Source
from harness.analysis.view import View
from harness.config.catalog import gpus
from harness.errors import AttnbenchError, ConfigError
from harness.store import open_store
from tests.dashboards.conftest import Opened
from tests.dashboards.test_site import HOSTILE, LATER, fill, measured
from tests.store.make import DEVICE

APP = Path(dashboards.live.__file__).with_name("app.py")
CHARTS = "document.querySelectorAll('[data-testid=stVegaLiteChart] svg.marks').length"
SHOWN = "document.querySelector('.attnbench h1')?.innerText"
LEAD = "document.querySelector('.attnbench .lead')?.innerText"
PROBLEM = "document.querySelector('.attnbench.problem')?.innerText"
STILL = "document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'"


@dataclass
class Server:
    """The app, and the store that it shows."""

    address: str
    store: Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    path = tmp_path_factory.mktemp("live") / "a.db"
    fill(path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = "from harness.cli import main; main()"
    arguments = ["dashboard", "--store", str(path), "--port", str(port)]
    program = subprocess.Popen(
        [sys.executable, "-c", start, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    address = f"http://127.0.0.1:{port}/"
    try:
        _until_up(program, address)
        yield Server(address, path)
    finally:
        program.terminate()
        program.wait(20)


def _until_up(program: subprocess.Popen[bytes], address: str) -> None:
    end = monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(f"{address}_stcore/health", timeout=5).close()
            return
        except OSError:
            if program.poll() is not None or monotonic() > end:
                output = program.stdout.read() if program.stdout else b""
                pytest.fail(f"the app did not come up: {output.decode()}")
            sleep(0.05)


@pytest.fixture(scope="module")
def opened(browser: Any, server: Server) -> Iterator[Opened]:
    """A visitor's tab, kept for all tests; its requests for anything else are refused."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    found = Opened(context.new_page())
    page = found.page
    page.set_default_timeout(90_000)
    page.on("console", lambda m: m.type == "error" and found.console.append(m.text))
    page.on("pageerror", lambda error: found.console.append(f"{error}"))
    page.on("request", lambda request: found.requests.append(request.url))
    own = (server.address, f"blob:{server.address}", "data:")
    page.route("**/*", lambda r: r.continue_() if r.request.url.startswith(own) else r.abort())
    yield found
    context.close()


@pytest.fixture
def go(opened: Opened, server: Server) -> Callable[..., Opened]:
    """Follow a link into the app; the page is there, or says what is the matter."""

    def go(**params: str) -> Opened:
        opened.page.goto(server.address + ("?" + urlencode(params) if params else ""))
        opened.page.wait_for_function(f"({SHOWN} || {PROBLEM}) && {STILL}")
        return opened

    return go


def charts_of(server: Server, name: str) -> int:
    """How many charts a page has, by the data."""
    with open_store(str(server.store), read_only=True) as store:
        content = built(page_named(name), Source(store, View(sweep="all"), gpus()))
    return sum(section.chart is not None for section in content.sections)


@pytest.mark.parametrize("name", pages())
def test_a_page_opens_without_errors_or_outside_requests(
    name: str, opened: Opened, server: Server
) -> None:
    """One tab goes from page to page, as a visitor does."""
    page, module = opened.page, pages()[name]
    if not page.url.startswith(server.address) or "sweep=all" not in page.url:
        page.goto(f"{server.address}?sweep=all")
    page.get_by_role("radio", name=module.TITLE, exact=True).click()
    question = "document.querySelector('.attnbench .question')?.innerText"
    page.wait_for_function(f"{question} === {module.QUESTION!r}")
    page.wait_for_function(f"{CHARTS} === {charts_of(server, name)} && {STILL}")
    assert page.query_selector("[data-testid=stException]") is None
    assert opened.run(PROBLEM) is None
    assert ("page=" + name in page.url) == (name != "sweep")
    assert "sweep=all" in page.url
    own = (server.address, f"blob:{server.address}", "data:", f"ws{server.address[4:]}")
    assert not [url for url in opened.requests if not url.startswith(own)]
    assert opened.console == []
    assert opened.run("window.owned") is None


def test_filters_go_to_the_address_and_a_link_reproduces_the_view(
    go: Callable[..., Opened], browser: Any
) -> None:
    opened = go(page="accuracy")
    page = opened.page
    everything = opened.run(LEAD)
    box = page.get_by_label("Kernels", exact=False).first
    box.click()
    page.get_by_role("option", name="sdpa_flash").click()
    page.keyboard.press("Escape")
    page.wait_for_url(re.compile("kernel=sdpa_flash"))
    page.wait_for_function(f"{LEAD}.includes('of 1 kernel')")
    link, lead = page.url, opened.run(LEAD)
    assert lead != everything
    page.get_by_role("radio", name="Memory", exact=True).click()
    page.wait_for_url(re.compile("page=memory.*kernel=sdpa_flash"))
    context = browser.new_context()
    other = context.new_page()
    other.goto(link)
    other.wait_for_function(f"{LEAD} === {lead!r}", timeout=90_000)
    context.close()


def test_a_point_leads_to_its_measurement_and_tables_can_be_saved(
    go: Callable[..., Opened],
) -> None:
    opened = go(kernel="sdpa_flash")
    page = opened.page
    page.wait_for_function(f"{CHARTS} >= 1")
    page.locator("[data-testid=stVegaLiteChart] path[aria-roledescription=point]").nth(2).click()
    page.wait_for_url(re.compile("page=result.*result="))
    assert "kernel=sdpa_flash" in page.url
    page.wait_for_function(f"{SHOWN}?.startsWith('sdpa_flash · ') && {CHARTS} === 2")
    page.get_by_role("button", name="All results").click()
    page.wait_for_function(f"{SHOWN} === 'Result' && {STILL}")
    save = page.get_by_role("button", name="Save as CSV")
    save.nth(1).wait_for(state="detached")  # the tables of the page before are gone
    assert "result=" not in page.url.replace("page=result", "")
    with page.expect_download() as caught:
        save.click()
    lines = Path(caught.value.path()).read_text().splitlines()
    assert lines[0].startswith("Kernel,Problem,Device")
    assert {line.split(",")[0] for line in lines[1:]} == {"sdpa_flash"}


def test_a_hostile_kernel_is_text(go: Callable[..., Opened], server: Server) -> None:
    record = measured(HOSTILE, 256, "attention", DEVICE, LATER)
    opened = go(page="result", result=f"{LATER.id}/{record.job_key}")
    assert opened.run(SHOWN).startswith(HOSTILE)
    assert HOSTILE in opened.run(LEAD)
    assert opened.run("window.owned") is None
    assert opened.run("document.querySelectorAll('.attnbench img, .attnbench b').length") == 0


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"page": "swep"}, "no page 'swep'. Did you mean sweep"),
        ({"kernle": "eager"}, "'kernle' is no filter. Did you mean kernel"),
        ({"since": "soon"}, "neither an age"),
        ({"sweep": "20200101-000000-aaaaaa"}, "20200101-000000-aaaaaa"),
        ({"page": "result", "result": "x/y"}, "'x'"),
        ({"page": "result", "result": f"{LATER.id}/y"}, "what it leads to was deleted"),
        ({"baseline": "egaer"}, "no kernel named 'egaer'"),
    ],
)
def test_a_wrong_or_outdated_link_says_what_is_the_matter(
    params: dict[str, str], says: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = run(server, params, monkeypatch)
    assert says in html_of(app, "problem")
    assert not app.exception


def run(server: Server, params: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The app's script without a browser: what needs no width of one."""
    monkeypatch.setenv(STORE, str(server.store))
    app = AppTest.from_file(str(APP), default_timeout=120)
    for name, value in params.items():
        app.query_params[name] = value
    return app.run()


def test_what_a_link_compares_is_kept(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    link = {"page": "compare", "by": "dtype", "a": "fp32", "b": "bf16", "metric": "tflops"}
    app = run(server, link, monkeypatch)
    kept = {name: app.query_params[name] for name in link}
    assert {name: v if isinstance(v, str) else v[-1] for name, v in kept.items()} == link


def html_of(app: Any, kind: str) -> str:
    """Texts of its blocks of one class."""
    blocks = [element.proto.body for element in app.get("html")]
    return html.unescape(" ".join(block for block in blocks if f"{kind}" in block[:60]))


def test_a_view_without_results_says_what_to_do(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = run(server, {"kernel": "nothing*"}, monkeypatch)
    assert "attnbench run" in html_of(app, "attnbench")


def test_a_page_is_drawn_anew_when_results_arrive(
    go: Callable[..., Opened], server: Server
) -> None:
    opened = go(sweep="all", kernel="late*")
    assert "attnbench run" in opened.run(LEAD)
    with open_store(str(server.store)) as store:
        for length in (256, 512):
            one = measured("eager", length, "attention", DEVICE, LATER)
            store.append(replace(one, kernel=replace(one.kernel, name="latecomer")))
    opened.page.wait_for_function(f"{LEAD}?.startsWith('1 kernel on')")


def test_it_listens_at_loopback_and_sends_no_statistics() -> None:
    options = settings("127.0.0.1", 8501, "")
    assert options["server_address"] == "127.0.0.1"
    assert options["browser_gatherUsageStats"] is False
    behind = settings("127.0.0.1", 8501, "https://bench.example.org/attn/")
    assert behind["browser_serverAddress"] == "bench.example.org"
    assert behind["browser_serverPort"] == 443
    assert behind["server_baseUrlPath"] == "attn"
    with pytest.raises(ConfigError, match="--public-url bench: an address such as"):
        settings("127.0.0.1", 8501, "bench")


def test_the_server_never_asks_a_service_for_its_own_address(monkeypatch: Any) -> None:
    from streamlit import net_util
    from streamlit.web.server.server_util import is_url_from_allowed_origins

    from dashboards.live.serve import stay_at_home

    asked: list[str] = []
    monkeypatch.setattr(
        net_util, "_make_blocking_http_get", lambda url, *_, **__: asked.append(url)
    )
    monkeypatch.setattr(net_util, "_external_ip", None)
    assert not is_url_from_allowed_origins("http://elsewhere.example")
    assert asked  # what is to be prevented
    asked.clear()
    stay_at_home()
    assert not is_url_from_allowed_origins("http://elsewhere.example")
    assert asked == []


def test_a_port_that_is_taken_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(AttnbenchError, match=f"can't listen at 127.0.0.1:{port}: .* --port"):
            must_be_free("127.0.0.1", port)


def test_columns_of_numbers_sort_as_numbers() -> None:
    table = Table(
        ["Kernel", "Length", "ms", "Share"],
        [["a", "1,024", "0.5 (0.4–0.6)", "–"], ["b", "256", "12", "3"]],
        frozenset({1, 2, 3}),
    )
    frame = frame_of(table)
    assert frame["Length"].tolist() == [1024, 256]
    assert frame["ms"].tolist() == ["0.5 (0.4–0.6)", "12"]
    assert frame["Share"].isna().tolist() == [True, False]
