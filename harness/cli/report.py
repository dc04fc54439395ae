"""``attnbench report`` and ``attnbench chart``: what is stored, as pages and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.common import store_url
from harness.errors import AttnbenchError, ConfigError

if TYPE_CHECKING:
    from dashboards.source import Source
    from harness.analysis.view import View


def report_command(
    out: Path | None, site: Path | None, page: str, format: str, view: View, store: str | None
) -> int:
    """Body of ``attnbench report``; returns the exit code."""
    from dashboards.report import LINK, write_report, write_site

    if site is not None:
        if out is not None or format != "html":
            raise ConfigError("--site writes a folder of HTML pages: leave out --out and --format")
        with _source(view, store_url(store), link=LINK) as source, _written(site):
            print(write_site(source, site))
        return 0
    path = out or Path(f"results/report.{format}")
    if format == "md" and path.suffix != ".md":
        raise ConfigError(f"--format md writes a file that ends in .md, not {path}")
    with _source(view, store_url(store)) as source, _written(path):
        print(write_report(source, path, page=page))
    return 0


def chart_command(
    name: str | None, out: Path | None, dark: bool, view: View, store: str | None
) -> int:
    """Body of ``attnbench chart``; returns the exit code. Without a name it lists the charts."""
    from dashboards.pages import chart_named, chart_names
    from dashboards.render.image import FORMATS, write_picture

    if name is None:
        for known, page in chart_names().items():
            print(f"{known:16} {page.TITLE}")
        return 0
    path = out or Path(f"results/{name}.png")
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"--out {path}: a chart is written as {' or '.join(FORMATS)}")
    with _source(view, store_url(store)) as source:
        section = chart_named(name, source)
        if section.chart is None:
            raise AttnbenchError(f"there is nothing to draw: {section.text}")
        with _written(path), source.colours():
            print(write_picture(section.chart, path, dark=dark))
    return 0


def must_be_writable(out: Path) -> None:
    """Raise AttnbenchError where no report could be written: said before a sweep, not after."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        existed = out.exists()
        out.open("ab").close()
        if not existed:
            out.unlink()
    except OSError as error:
        raise AttnbenchError(f"can't write the report to {out}: {error.strerror}") from error


def write(out: Path, sweep: str, url: str) -> Path:
    """Write the report of a sweep, by its id. Raises AttnbenchError."""
    from dashboards.report import write_report
    from harness.analysis.view import View

    with _source(View(sweep=sweep), url) as source, _written(out):
        return write_report(source, out)


@contextmanager
def _source(view: View, url: str, link: str = "") -> Iterator[Source]:
    """The store as ``view`` shows it. A baseline must be a kernel that was measured."""
    from dashboards.source import Source
    from harness.config.catalog import gpus
    from harness.errors import did_you_mean
    from harness.store import open_store

    with open_store(url, read_only=True) as store:
        source = Source(store, view, gpus(), link=link)
        known = set(source.records["kernel"])
        if view.sweep == "last" and source.records.empty and not store.sweeps():
            raise AttnbenchError(f"{store.safe_url} has no sweep yet: attnbench run …")
        if view.baseline and view.baseline not in known:
            raise AttnbenchError(
                f"--baseline {view.baseline}: no such kernel here. "
                f"{did_you_mean(view.baseline, known)}"
            )
        yield source


@contextmanager
def _written(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AttnbenchError(f"can't write to {path}: {error.strerror}") from error


def view_of(
    sweep: str,
    baseline: str | None,
    kernel: list[str] | None,
    dtype: list[str] | None,
    gpu: list[str] | None,
    workload: list[str] | None,
) -> View:
    """The view that a command's options say."""
    from harness.analysis.view import View

    filters = {"kernel": kernel, "dtype": dtype, "gpu": gpu, "workload": workload}
    given = {name: values for name, values in filters.items() if values}
    return replace(View.from_params(given), sweep=sweep, baseline=baseline or "")
