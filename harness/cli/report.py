"""``attnbench report``: one self-contained HTML file."""

from __future__ import annotations

from pathlib import Path

from harness.cli.common import store_url
from harness.cli.results import load
from harness.errors import AttnbenchError


def report_command(out: Path, sweep: str, baseline: str | None, store: str | None) -> int:
    """Body of ``attnbench report``; returns the exit code."""
    print(write(out, sweep, baseline, store_url(store)))
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


def write(out: Path, sweep: str, baseline: str | None, url: str) -> Path:
    """Write the report of a sweep (an id, ``last`` or ``all``). Raises AttnbenchError."""
    from dashboards.report import write_report
    from harness.store import open_store

    frame = load({"sweep": sweep}, url)
    with open_store(url, read_only=True) as store:
        safe = store.safe_url
        ids = set(frame.sweep_id)
        commands = [row.command for row in store.sweeps() if row.id in ids]
    if baseline is not None and baseline not in set(frame.kernel):
        from harness.errors import did_you_mean

        raise AttnbenchError(
            f"--baseline {baseline}: no such kernel here. {did_you_mean(baseline, frame.kernel)}"
        )
    try:
        return write_report(
            frame, out, baseline=baseline, made_from=safe, command="\n".join(commands)
        )
    except OSError as error:
        raise AttnbenchError(f"can't write the report to {out}: {error.strerror}") from error
