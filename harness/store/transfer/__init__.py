"""Export and import: a store, or some of its sweeps, as files that need no database to be read.

    export_store(store, Path("results.jsonl"))                    # JSON Lines, one file
    export_store(store, Path("results"), sweeps=[...])            # Parquet, a folder
    import_export(Path("results"), other_store)                   # each thing once

A round trip is exact: every record with its samples to the last bit, pruned ones with what stayed
of them, sweeps with their state, tags, exclusions, baselines, triage, the audit log, and results of
other tools. Importing twice adds nothing; an import that was interrupted is simply run again.

The format, version 2
---------------------
JSON Lines (``*.jsonl``), UTF-8, one object of one name a line, in this order:

    {"attnbench_export": {"version": 2, "attnbench": "0.1.0", "exported_at": …, "sweeps": null}}
    {"sweep": {…}}         fields of harness.store.sweeps.StoredSweep, the oldest first
    {"record": {…}}        Record.to_dict(): what `python -m harness.measure` writes, too
    {"external": {…}}      fields of harness.model.External, `params` as an object
    {"tag": {…}}           sweep, name, tagged_at
    {"exclusion": {…}}     sweep, job, launch, attempt (which result), reason, excluded_at
    {"baseline": {…}}      series, starts_at, reason
    {"triage": {…}}        key, event, sweep, at, actor, state, note, links and moves (JSON text)
    {"audit": {…}}         key, at, actor, action, subject, reason, details (JSON text)
    {"end": {"sweeps": 1, "records": 60, "externals": 0, "annotations": 4}}

``sweeps`` of the first line lists what was asked for, null for the whole store. A file without its
last line is cut short, and refused. Numbers are written by shortest round trip; there is no NaN.

Parquet (a folder): ``sweeps.parquet``, ``records.parquet``, ``externals.parquet`` have a column a
field: texts, 64-bit integers and floats as such, ``samples_ms`` and ``values`` as lists of float64,
all else (kernel, problem, device …) as JSON text. ``annotations.parquet`` has ``kind`` and
``facts`` (JSON text). ``manifest.json`` holds the first and last line from above as one object.

A field that a later attnbench adds keeps the version where its default can be left out; otherwise
the version grows. This attnbench reads every version up to its own, and refuses a newer one.

Version 1 had no triage.

An export of some sweeps has their records, tags and exclusions, the triage of events that begin at
them, and the baselines of their series; the audit log and other tools' results belong to no sweep,
and come with the whole store only.
"""

from harness.store.transfer.exporting import FORMATS, export_store, format_of
from harness.store.transfer.importing import import_export, is_export
from harness.store.transfer.parts import Counts

__all__ = ["FORMATS", "Counts", "export_store", "format_of", "import_export", "is_export"]
