"""``attnbench store import``: records from a machine without a store, results of other tools."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from harness.cli.common import store_url
from harness.errors import AttnbenchError, ImportFailed
from harness.importers import FORMATS, Given, read_file
from harness.model import External, Record, Sweep

RECORDS = "records"
"""The format that `python -m harness.measure` writes: checked records, not another tool's."""
EXPORT = "export"
"""What `attnbench store export` writes."""


def import_command(
    files: list[Path], store: str | None, format: str | None = None, given: Given | None = None
) -> int:
    """Body of ``attnbench store import``; returns the exit code.

    Every file is read before anything is stored, but exports, which may be larger than memory.
    Raises ImportFailed, naming file and line.
    """
    from harness.cli.store_transfer import import_exports
    from harness.store import open_store
    from harness.store.transfer import is_export

    if format not in (None, EXPORT, RECORDS, *FORMATS):
        names = ", ".join((EXPORT, RECORDS, *FORMATS))
        raise ImportFailed(f"--format {format}: there is no such format, only {names}")
    records: list[Record] = []
    externals: list[External] = []
    exports = [file for file in files if format == EXPORT or (not format and is_export(file))]
    for file in files:
        if file in exports:
            continue
        if (format or (RECORDS if _has_records(file) else None)) == RECORDS:
            records.extend(_read_records(file))
        else:
            externals.extend(read_file(file, format or "", given))
    with open_store(store_url(store), create=True) as target:
        if externals:
            added = target.append_externals(externals)
            print(
                f"{added} of {len(externals)} external results were new to {target.safe_url}; they "
                "were not checked against an oracle (attnbench results --external)"
            )
        if records or not (externals or exports):
            _start_sweeps(target, records)
            added = target.append_many(records)
            print(f"{added} of {len(records)} records were new to {target.safe_url}")
        import_exports(exports, target)
    return 0


def _start_sweeps(target: object, records: list[Record]) -> None:
    from harness.store import Store

    assert isinstance(target, Store)
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


def _has_records(file: Path) -> bool:
    """Whether the first line that isn't empty is a record, or the file is missing or empty."""
    if not file.is_file():
        return True
    with file.open(encoding="utf-8", errors="replace") as lines:
        first = next((line for line in lines if line.strip()), "")
    return not first or '"sweep_id"' in first


def _read_records(file: Path) -> Iterator[Record]:
    if not file.is_file():
        raise AttnbenchError(f"no file {file}")
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if line.strip():
            try:
                yield Record.from_dict(json.loads(line))
            except (ValueError, TypeError, KeyError) as error:
                raise AttnbenchError(f"{file}, line {number} is not a record: {error}") from error
