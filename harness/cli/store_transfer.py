"""``attnbench store export``, and `import` of what it wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.common import store_url
from harness.cli.store_progress import counted
from harness.cli.store_selection import sweep_named

if TYPE_CHECKING:
    from harness.store import Store


def export_command(target: Path, sweeps: list[str] | None, format: str, store: str | None) -> int:
    """Body of ``attnbench store export``; returns the exit code."""
    from harness.store import open_store
    from harness.store.transfer import export_store

    with (
        open_store(store_url(store), read_only=True) as opened,
        counted("exporting") as progress,
    ):
        named = None
        if sweeps:
            named = list(dict.fromkeys(sweep_named(opened, name) for name in sweeps))
        counts = export_store(opened, target, format, named, progress)
    print(
        f"{target}: {counts.records:,} results of {counts.sweeps} sweeps, {counts.externals:,} of "
        f"other tools, {counts.annotations} annotations of {opened.safe_url}"
    )
    return 0


def import_exports(files: list[Path], target: Store) -> None:
    """Bring exports into an open store, one after the other, and say what was new."""
    from harness.store.transfer import import_export

    for file in files:
        with counted("importing") as progress:
            new = import_export(file, target, progress)
        print(
            f"{file}: {new.records:,} results of {new.sweeps} new sweeps, {new.externals:,} of "
            f"other tools and {new.annotations} annotations were new to {target.safe_url}"
        )
