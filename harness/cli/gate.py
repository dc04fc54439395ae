"""``attnbench gate``: may this sweep pass? For a CI: an exit code, Markdown, JUnit, JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.analysis.compare.comparison import Comparison, compare
from harness.analysis.compare.reading import Filters
from harness.analysis.compare.sides import resolve
from harness.analysis.gate import accept, confirm, judge_gate, suspects
from harness.analysis.metrics import metric_named
from harness.cli.common import store_url
from harness.cli.gate_files import as_dict, junit, markdown
from harness.cli.gate_known import known_of
from harness.cli.results import write_text
from harness.config.gate import GateSettings, gate_settings
from harness.errors import AttnbenchError, ConfigError
from harness.store import Store, open_store


@dataclass(frozen=True)
class Again:
    """How suspects are measured again."""

    launches: int
    """A side and cell."""
    kernels: tuple[Path, ...] = ()
    """Folders that replace those which the records name."""
    cluster: str = "local"
    """Option of conf/cluster."""


BRANCH = "branch:"
LOOK_BACK = 500
"""Commits of a branch that are looked through for one that was measured."""


def gate_command(
    baseline: str,
    candidate: str,
    config: str,
    overrides: Sequence[str],
    filters: Filters,
    junit_out: Path | None,
    json_out: Path | None,
    store: str | None,
    again: Again | None = None,
) -> int:
    """Body of ``attnbench gate``; returns the exit code. ``again``: how suspects are confirmed."""
    settings = gate_settings(config, overrides)
    with open_store(store_url(store), read_only=True) as opened:
        a = _baseline(opened, baseline, candidate)
        share = settings.unknown_share
        found = judge_gate(_comparisons(opened, a, candidate, settings, filters), share)
        if again is not None and len(suspects(found)):
            from harness.cli.gate_confirm import measured_again

            found = confirm(found, measured_again(opened, found, (a, candidate), again), share)
        found = accept(found, known_of(opened, found), share)
    if junit_out is not None:
        write_text(junit(found), junit_out)
    if json_out is not None:
        write_text(json.dumps(as_dict(found), indent=1) + "\n", json_out)
    sys.stdout.write(markdown(found))
    return int(found.outcome)


def _comparisons(
    store: Store, a: str, b: str, settings: GateSettings, filters: Filters
) -> dict[str, Comparison]:
    from harness.config.catalog import gpus

    out = {}
    known = gpus()
    for name in settings.metrics:
        metric = metric_named(name)
        out[metric.name] = compare(
            store,
            a,
            b,
            metric=metric.name,
            filters=filters,
            gpus=known,
            least_effect_of=partial(settings.limit, name),
            false_discoveries=settings.false_discoveries,
        )
    return out


def _baseline(store: Store, text: str, candidate: str) -> str:
    """The side that ``history`` and ``branch:NAME`` stand for; anything else is one by itself."""
    if text == "history":
        with store.reading() as connection:
            label = resolve(connection, candidate).label
        sweep = next(
            (row for row in store.sweeps() if f"sweep {row.id}" == label.split(" (")[0]), None
        )
        if sweep is None:
            raise ConfigError(f"gate history needs a sweep as candidate, not {candidate!r}")
        return f"date:{sweep.started_at}"
    if text.startswith(BRANCH):
        return _of_branch(store, text.removeprefix(BRANCH))
    return text


def _of_branch(store: Store, branch: str) -> str:
    """The newest commit of a branch of the repository one stands in that was measured."""
    done = subprocess.run(
        ["git", "rev-list", f"--max-count={LOOK_BACK}", "--end-of-options", branch, "--"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ConfigError(f"branch:{branch}: git says: {done.stderr.strip() or 'no such branch'}")
    for commit in done.stdout.split():
        side = f"commit:{commit}"
        try:
            with store.reading() as connection:
                resolve(connection, side)
        except ConfigError:
            continue
        return side
    raise AttnbenchError(f"branch:{branch}: none of its last {LOOK_BACK} commits was measured")
