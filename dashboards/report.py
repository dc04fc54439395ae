"""What ``attnbench report`` writes: one page as one file, or all pages as a small static site."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import harness
from dashboards.pages import built, page_named, pages
from dashboards.render.html import Site, render, vega
from dashboards.render.markdown import markdown
from dashboards.source import Source

VEGA = "vega.js"
RESULT = "result"
"""The page that points lead to."""

LINK = f"{RESULT}.html#{{}}"
"""Address of a result within a site."""


def made(source: Source) -> str:
    """When the pages were made, and from what."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"Made by attnbench {harness.__version__} on {now} from {source.origin}."


def write_report(source: Source, path: Path | str, *, page: str = "sweep") -> Path:
    """Write one page to ``path`` and return it: HTML, or Markdown where its name ends in .md.

    The file appears whole or not at all. Raises ConfigError for no such page, ValueError for a
    baseline that is not among the kernels.
    """
    path = Path(path)
    module = page_named(page)
    content = built(module, source)
    if path.suffix == ".md":
        return write_whole(
            path,
            markdown(content, title=module.TITLE, question=module.QUESTION, footer=made(source)),
        )
    text = render(
        content,
        title=module.TITLE,
        question=module.QUESTION,
        footer=made(source),
        version=harness.__version__,
    )
    return write_whole(path, text)


def write_site(source: Source, folder: Path | str) -> Path:
    """Write every page and what they share into ``folder``; returns its ``index.html``.

    Each page is there whole or not at all; files of other names are left alone. ``source`` should
    have been made with ``link=LINK``.
    """
    folder, known = Path(folder), pages()
    files = {name: "index.html" if name == "sweep" else f"{name}.html" for name in known}
    write_whole(folder / VEGA, vega())
    foot = made(source)
    for name, page in known.items():
        content = built(page, source)
        tabs = [(files[n], p.TITLE, n == name) for n, p in known.items()]
        site = Site(tabs, VEGA, source.link, anchors=name == RESULT)
        text = render(
            content,
            title=page.TITLE,
            question=page.QUESTION,
            footer=foot,
            version=harness.__version__,
            site=site,
        )
        write_whole(folder / files[name], text)
    return folder / "index.html"


def write_whole(path: Path, text: str) -> Path:
    """Write beside ``path``, then rename: a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)  # mkstemp's 0600 would keep a web server from reading it
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path
