"""``attnbench store``: upgrade a database, bring in records from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from harness.cli.common import store_url
from harness.errors import AttnbenchError
from harness.model import Record, Sweep


def upgrade_command(url: str | None) -> int:
    """Body of ``attnbench store upgrade``; returns the exit code."""
    from harness.store import upgrade

    print(upgrade(store_url(url)))
    return 0


def import_command(files: list[Path], store: str | None) -> int:
    """Body of ``attnbench store import``; returns the exit code."""
    from harness.store import open_store

    records = [record for file in files for record in _read(file)]
    with open_store(store_url(store), create=True) as target:
        known = {row.id for row in target.sweeps()}
        for sweep_id in sorted({record.sweep_id for record in records} - known):
            mine = [record for record in records if record.sweep_id == sweep_id]
            target.start_sweep(
                Sweep(
                    id=sweep_id,
                    name=mine[0].experiment,
                    command="attnbench store import",
                    started_at=min(record.started_at for record in mine),
                    jobs=len({record.job_key for record in mine}),
                    launches=1 + max(record.launch for record in mine),
                )
            )
            target.finish_sweep(sweep_id, "done")
        added = target.append_many(records)
        print(f"{added} of {len(records)} records were new to {target.safe_url}")
    return 0


def _read(file: Path) -> Iterator[Record]:
    if not file.is_file():
        raise AttnbenchError(f"no file {file}")
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if line.strip():
            try:
                yield Record.from_dict(json.loads(line))
            except (ValueError, TypeError, KeyError) as error:
                raise AttnbenchError(f"{file}, line {number} is not a record: {error}") from error
