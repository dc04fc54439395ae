"""Which formats there are, which one a file is of, and reading it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from harness.errors import ImportFailed, did_you_mean
from harness.importers import (
    asv,
    flashinfer_bench,
    google_benchmark,
    nvbench,
    perf_report,
    plain_csv,
    pytest_benchmark,
    tritonbench,
)
from harness.importers.source import Given, Source
from harness.model import External


class Format(Protocol):
    """What a module of this package offers."""

    NAME: str
    """As in ``--format``."""

    def recognises(self, source: Source) -> bool:
        """Whether the file looks like this format; reads as little of it as it can."""

    def read(self, source: Source) -> Iterator[External]:
        """What the file says. Raises ImportFailed, naming file and line, where it says nonsense."""


FORMATS: Mapping[str, Format] = {
    module.NAME: module
    for module in (
        pytest_benchmark,
        asv,
        google_benchmark,
        nvbench,
        flashinfer_bench,
        tritonbench,
        perf_report,
        plain_csv,
    )
}
"""Every format by name."""


def detect(source: Source) -> Format:
    """The one format that a file looks like. Raises ImportFailed where it is none, or several."""
    found = [name for name, format in FORMATS.items() if format.recognises(source)]
    if len(found) == 1:
        return FORMATS[found[0]]
    looks = f"could be {' or '.join(found)}" if found else "is of no known format"
    names = ", ".join(FORMATS)
    raise ImportFailed(f"{source.path} {looks}: say which with --format, one of {names}")


def read_file(path: Path | str, format: str = "", given: Given | None = None) -> list[External]:
    """Every result of a file; ``format`` is found out unless given.

    Raises:
        ImportFailed: no such format or file, or one that can't be read; names file and line. Also
            where nothing in it carries a value, so that an import never silently does nothing.
    """
    source = Source(Path(path), given or Given())
    if format and format not in FORMATS:
        raise ImportFailed(f"no format {format!r}. {did_you_mean(format, FORMATS)}")
    chosen = FORMATS[format] if format else detect(source)
    results = list(chosen.read(source))
    if not results:
        source.fail(f"holds no {chosen.NAME} result with a value")
    return results
