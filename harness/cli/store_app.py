"""``attnbench store …`` and its options. The bodies live in store.py and store_history.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.guard import guarded
from harness.cli.options import StoreUrl
from harness.cli.store_selection import Chosen, selecting
from harness.errors import ConfigError
from harness.masking import masked

store_app = typer.Typer(help="Look after the result database.", no_args_is_help=True)

Url = Annotated[str | None, typer.Argument(metavar="[URL]", help="The same as --store.")]
Reason = Annotated[str, typer.Option("--reason", help="Why: it goes into the log.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]


def _one_of(url: str | None, store: str | None) -> str | None:
    """A store may be named either way. Raises ConfigError where two are."""
    if url is not None and store is not None and url != store:
        raise ConfigError(f"two stores are named, {masked(url)} and {masked(store)}: which one?")
    return url if store is None else store


@store_app.command(name="info")
@guarded
def store_info(
    url: Url = None,
    store: StoreUrl = None,
    format: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
) -> int:
    """Say what a database is and how much it holds."""
    from harness.cli.store import info_command

    return info_command(_one_of(url, store), format)


@store_app.command(name="check")
@guarded
def store_check(
    url: Url = None,
    store: StoreUrl = None,
    deep: Annotated[bool, typer.Option("--deep", help="Read every record as well.")] = False,
) -> int:
    """Look for damage: in the file, in its references, in the samples. Exit code 1 if any."""
    from harness.cli.store import check_command

    return check_command(_one_of(url, store), deep)


@store_app.command(name="upgrade")
@guarded
def store_upgrade(
    url: Url = None,
    create: Annotated[
        bool, typer.Option("--create", help="Make an empty one where there is none.")
    ] = False,
    store: StoreUrl = None,
) -> int:
    """Bring a database made by an older attnbench to this one's schema."""
    from harness.cli.store import upgrade_command

    return upgrade_command(_one_of(url, store), create)


@store_app.command(name="downgrade")
@guarded
def store_downgrade(
    revision: Annotated[str, typer.Argument(help="The older schema, e.g. 0001.")],
    store: StoreUrl = None,
    yes: Yes = False,
) -> int:
    """Take a database back to an older schema, for an older attnbench; what is newer is lost."""
    from harness.cli.store import downgrade_command

    return downgrade_command(revision, store, yes)


@store_app.command(name="vacuum")
@guarded
def store_vacuum(url: Url = None, store: StoreUrl = None) -> int:
    """Drop facts that no result refers to and give unused space back."""
    from harness.cli.store import vacuum_command

    return vacuum_command(_one_of(url, store))


@store_app.command(name="backup")
@guarded
def store_backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    store: StoreUrl = None,
) -> int:
    """Copy a SQLite database whole, while others may be writing to it."""
    from harness.cli.store import backup_command

    return backup_command(target, store)


@store_app.command(name="merge")
@guarded
def store_merge(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The store to bring in.")],
    store: StoreUrl = None,
) -> int:
    """Bring everything of another store into this one: any engine into any, each result once.

    What was interrupted is simply run again.
    """
    from harness.cli.store import merge_command

    return merge_command(source, store)


@store_app.command(name="export")
@guarded
def store_export(
    target: Annotated[
        Path,
        typer.Argument(metavar="TARGET", help="A new file (x.jsonl), or a new folder (Parquet)."),
    ],
    sweep: Annotated[
        list[str] | None,
        typer.Option("--sweep", help="Only this sweep (id, or `last`); repeatable."),
    ] = None,
    format: Annotated[
        str,
        typer.Option("--format", help="jsonl or parquet (default: by TARGET's name)."),
    ] = "",
    store: StoreUrl = None,
) -> int:
    """Write the store to files that need no database: `store import` reads them, exactly.

    Everything, or some sweeps with what belongs to them.
    """
    from harness.cli.store_transfer import export_command

    return export_command(target, sweep, format, store)


@store_app.command(name="import")
@guarded
def store_import(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="An export, records, or another tool's results."),
    ],
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="export, records, pytest-benchmark, asv, google-benchmark, nvbench, "
            "flashinfer-bench, tritonbench, perf-report or csv (default: found out).",
            show_default=False,
        ),
    ] = None,
    measured_at: Annotated[
        str, typer.Option("--measured-at", help="When, for files that don't say: ISO 8601.")
    ] = "",
    device: Annotated[
        str, typer.Option("--device", help="On what, in place of what a file says.")
    ] = "",
    version: Annotated[
        str, typer.Option("--version", help="Commit or version of what was measured.")
    ] = "",
    store: StoreUrl = None,
) -> int:
    """Store what `store export` wrote, or `python -m harness.measure` on another machine.

    Or results of other tools: they are kept for their history, marked as not checked. Each comes in
    once, however often it is imported.
    """
    from harness.cli.store_import import import_command
    from harness.importers import Given

    return import_command(files, store, format, Given(measured_at, device, version))


@store_app.command(name="prune")
@guarded
def store_prune(
    older_than: Annotated[
        str, typer.Option("--older-than", help="An age (90d, 12w) or an ISO date.")
    ],
    reason: Reason = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go.")] = False,
    yes: Yes = False,
    store: StoreUrl = None,
) -> int:
    """Drop raw samples of old results; medians, intervals and counts stay. Asks first."""
    from harness.cli.store_history import prune_command

    return prune_command(older_than, reason, dry_run, yes, store)


@store_app.command(name="exclude")
@guarded
@selecting
def store_exclude(which: Chosen, reason: Reason, store: StoreUrl = None) -> int:
    """Have analysis ignore results that match everything given; they are kept, with the reason."""
    from harness.cli.store_history import exclude_command

    return exclude_command(which, reason, store)


@store_app.command(name="include")
@guarded
@selecting
def store_include(which: Chosen, reason: Reason = "", store: StoreUrl = None) -> int:
    """Undo `exclude`."""
    from harness.cli.store_history import include_command

    return include_command(which, reason, store)


@store_app.command(name="reset-baseline")
@guarded
@selecting
def store_reset_baseline(
    which: Chosen,
    reason: Reason,
    since: Annotated[
        str | None, typer.Option("--from", help="ISO date or time, or an age (default: now).")
    ] = None,
    store: StoreUrl = None,
) -> int:
    """Let the history of the matching results' series count from a moment on."""
    from harness.cli.store_history import reset_baseline_command

    return reset_baseline_command(which, since, reason, store)


@store_app.command(name="tag")
@guarded
def store_tag(
    sweep: Annotated[str, typer.Argument(help="Sweep id, or `last`.")],
    name: Annotated[str | None, typer.Argument(help="The tag; without it, show the tags.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take it off.")] = False,
    reason: Reason = "",
    store: StoreUrl = None,
) -> int:
    """Give a sweep a name to find it by."""
    from harness.cli.store_history import tag_command

    return tag_command(sweep, name, remove, reason, store)


@store_app.command(name="delete")
@guarded
def store_delete(
    sweep: Annotated[str, typer.Argument(help="Sweep id.")],
    reason: Reason,
    yes: Yes = False,
    store: StoreUrl = None,
) -> int:
    """Delete a sweep with all its results. Asks first."""
    from harness.cli.store_history import delete_command

    return delete_command(sweep, reason, yes, store)


@store_app.command(name="log")
@guarded
def store_log(
    limit: Annotated[int, typer.Option("--limit", help="How many of the newest.", min=1)] = 50,
    format: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    store: StoreUrl = None,
) -> int:
    """Show what changed history: when, by whom, what, why."""
    from harness.cli.store_history import log_command

    return log_command(limit, format, store)
