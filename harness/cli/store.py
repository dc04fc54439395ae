"""``attnbench store``: its state, upkeep, and bringing in records from elsewhere."""

from __future__ import annotations

import dataclasses
import json
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.table import Table

from harness.cli.common import confirmed, store_url


def upgrade_command(url: str | None, create: bool) -> int:
    """Body of ``attnbench store upgrade``; returns the exit code."""
    from harness.errors import SchemaMismatch
    from harness.store import open_store, upgrade

    where = store_url(url)
    if create:
        with suppress(SchemaMismatch):  # it is there, and older
            open_store(where, create=True).close()
    print(upgrade(where))
    return 0


def downgrade_command(revision: str, store: str | None, yes: bool) -> int:
    """Body of ``attnbench store downgrade``; returns the exit code."""
    from harness.store.migrate import downgrade
    from harness.store.url import parse_url, safe_text

    url = store_url(store)
    confirmed(
        f"take {safe_text(parse_url(url))} back to schema {revision}? what is newer is lost", yes
    )
    print(downgrade(url, revision))
    return 0


def info_command(url: str | None, format: str) -> int:
    """Body of ``attnbench store info``; returns the exit code."""
    from harness.store import open_store
    from harness.store.upkeep import info

    with open_store(store_url(url), read_only=True) as store:
        facts = dataclasses.asdict(info(store))
    if format == "json":
        print(json.dumps(facts, indent=1))
        return 0
    table = Table(box=None, show_header=False, pad_edge=False)
    facts["size"] = f"{facts.pop('size_bytes') / 1e6:,.2f} MB"
    for name, value in facts.items():
        shown = f"{value:,}" if isinstance(value, int) else str(value)
        table.add_row(name.replace("_", " "), shown)
    Console(highlight=False, markup=False, soft_wrap=True).print(table)
    return 0


def check_command(url: str | None, deep: bool) -> int:
    """Body of ``attnbench store check``: exit code 1 where something is wrong."""
    from harness.cli.store_progress import counted
    from harness.store import open_store
    from harness.store.upkeep import check

    with open_store(store_url(url), read_only=True) as store, counted("reading") as progress:
        problems = check(store, deep=deep, progress=progress)
    for line in problems:
        print(line)
    if not problems:
        print(f"{store.safe_url}: no damage found")
        return 0
    print(f"{store.safe_url} is damaged: restore a copy, or merge what can be read into a new one")
    return 1


def vacuum_command(url: str | None) -> int:
    """Body of ``attnbench store vacuum``; returns the exit code."""
    from harness.store import open_store
    from harness.store.upkeep import vacuum

    with open_store(store_url(url)) as store:
        rows, freed = vacuum(store)
    print(f"{store.safe_url}: {freed / 1e6:,.2f} MB given back, {rows} unused facts dropped")
    return 0


def backup_command(target: Path, store: str | None) -> int:
    """Body of ``attnbench store backup``; returns the exit code."""
    from harness.store import open_store
    from harness.store.upkeep import backup

    with open_store(store_url(store), read_only=True) as opened:
        size = backup(opened, target)
    print(f"{target}: {size / 1e6:,.2f} MB, a whole copy of {opened.safe_url}")
    return 0


def merge_command(source: str, store: str | None) -> int:
    """Body of ``attnbench store merge``; returns the exit code."""
    from harness.cli.store_progress import counted
    from harness.store import open_store
    from harness.store.merge import merge

    with (
        open_store(source, read_only=True) as reader,
        open_store(store_url(store), create=True) as target,
        counted("merging") as progress,
    ):
        done = merge(reader, target, progress)
    print(
        f"{target.safe_url}: {done.results:,} results of {done.sweeps} new sweeps came from "
        f"{reader.safe_url}, {done.externals:,} of other tools, {done.annotations} annotations; "
        f"{done.known:,} were there"
    )
    return 0
