"""``attnbench claims``: what articles say of attention, judged by arithmetic and by measuring."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from harness.cli.common import store_url
from harness.errors import ConfigError

if TYPE_CHECKING:
    from harness.analysis.claims import Evidence, Judged

INTERRUPTED = 130
STYLES = {"holds": "green", "does not hold": "red", "holds only if": "yellow"}


def claims_command(
    overrides: list[str], measure: bool | None, format: str, store: str | None
) -> int:
    """Body of ``attnbench claims``; returns the exit code: 1 where a job of its sweep failed."""
    from harness.analysis.claims import EXPERIMENT

    url = store_url(store)
    if any(override.startswith("experiment=") for override in overrides):
        raise ConfigError(f"claims measures experiment={EXPERIMENT}; another can't stand in for it")
    if measure is False and overrides:
        raise ConfigError("overrides say what to measure: they don't go with --no-measure")
    seen = [] if measure else _stored(url)
    code = 0
    if measure is not False and (overrides or not seen):
        from harness.cli.run import run_command

        print("measuring: a few minutes on a CPU", file=sys.stderr)
        given = [f"experiment={EXPERIMENT}", f"store.url={url}", *overrides]
        code = run_command(given, False, [], None, None, table=False)
        if code == INTERRUPTED:
            return code
        seen = _stored(url)
    _print(seen, format)
    return code


def _stored(url: str) -> list[Evidence]:
    """The evidence that a store has; [] where there is no store."""
    from harness.analysis.claims import EXPERIMENT, evidence
    from harness.analysis.query import results
    from harness.config.catalog import gpus
    from harness.store import open_store

    if "://" not in url and not Path(url).exists():
        return []
    with open_store(url, read_only=True) as store:
        known = gpus()
        return evidence(results(store, experiment=EXPERIMENT, gpus=known), known)


def _print(seen: list[Evidence], format: str) -> None:
    from harness.analysis.claims import judge

    judged: list[tuple[Evidence | None, list[Judged]]] = [(one, judge(one)) for one in seen]
    judged = judged or [(None, judge(None))]
    if format == "json":
        json.dump([_as_dict(one, claims) for one, claims in judged], sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    for one, claims in judged:
        (_print_markdown if format == "md" else _print_text)(_heading(one), claims)


def _heading(seen: Evidence | None) -> str:
    if seen is None:
        return "What articles say of attention (nothing measured yet)"
    when = str(seen.frame["started_at"].max())[:10]
    return f"What articles say of attention, on {seen.device} ({when})"


def _as_dict(seen: Evidence | None, claims: list[Judged]) -> dict[str, object]:
    return {
        "device": None if seen is None else seen.device,
        "sweep": None if seen is None else str(seen.frame["sweep_id"].iloc[0]),
        "claims": [
            {
                "name": judged.claim.name,
                "says": judged.claim.says,
                "formula": judged.claim.formula,
                "chip": judged.claim.chip,
                "findings": [dataclasses.asdict(finding) for finding in judged.findings],
            }
            for judged in claims
        ],
    }


def _print_text(heading: str, claims: list[Judged]) -> None:
    console = Console(highlight=False, soft_wrap=False)
    console.print(Text(heading, style="bold"))
    for judged in claims:
        console.print()
        console.print(Text(judged.claim.says, style="bold"))
        for finding in judged.findings:
            line = Text(f"{finding.basis}: ")
            line.append(str(finding.verdict), STYLES.get(str(finding.verdict), ""))
            line.append(f"{' ' if finding.verdict == 'holds only if' else ': '}{finding.text}")
            console.print(Padding(line, (0, 0, 0, 2), expand=False))
    console.print()
    console.print(Text(_summary(claims)))


def _summary(claims: list[Judged]) -> str:
    by_basis: dict[str, Counter[str]] = {}
    for judged in claims:
        for finding in judged.findings:
            by_basis.setdefault(str(finding.basis), Counter())[str(finding.verdict)] += 1
    parts = [
        f"{basis}: {', '.join(f'{n} {verdict}' for verdict, n in counts.most_common())}"
        for basis, counts in by_basis.items()
    ]
    return f"{len(claims)} claims. {'; '.join(parts)}"


def _print_markdown(heading: str, claims: list[Judged]) -> None:
    print(f"## {heading}\n\n| claim | basis | verdict | figures |\n|---|---|---|---|")
    for judged in claims:
        for finding in judged.findings:
            cells = (judged.claim.says, finding.basis, finding.verdict, finding.text)
            print(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |")
    print(f"\n{_summary(claims)}")
