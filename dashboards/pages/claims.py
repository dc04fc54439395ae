"""Claims: which of the things that articles say of attention hold, and on this hardware?"""

from __future__ import annotations

from collections import Counter

from dashboards.content import Content, Section, Table
from dashboards.formats import count, listing
from dashboards.source import Source
from harness.analysis.claims import EXPERIMENT, Evidence, Judged, evidence, judge
from harness.analysis.query import results

TITLE = "Claims"
QUESTION = "Which of the things that articles say of attention hold, and on this hardware?"
PLACE = 8
CHARTS: tuple[str, ...] = ()
MEASURE = "attnbench claims"


def build(source: Source) -> Content:
    """Every claim by arithmetic, and by the newest sweep of the experiment on each device."""
    seen = evidence(results(source.store, experiment=EXPERIMENT, gpus=source.gpus), source.gpus)
    if not seen:
        lead = f"By arithmetic alone: nothing is measured yet. {MEASURE} does it in some minutes."
        return Content(lead, [_section(None, judge(None))])
    devices = listing([one.device for one in seen])
    return Content(
        f"Held to arithmetic, and to what was measured on {devices}.",
        [_section(one, judge(one)) for one in seen],
    )


def _section(seen: Evidence | None, judged: list[Judged]) -> Section:
    rows = [
        [one.claim.says, one.claim.formula, finding.basis, finding.verdict, finding.text]
        for one in judged
        for finding in one.findings
    ]
    verdicts = Counter(row[3] for row in rows)
    said = listing([f"{n} {verdict}" for verdict, n in verdicts.most_common()])
    return Section(
        id="claims" if seen is None else f"claims-{seen.frame['sweep_id'].iloc[0]}",
        short="Arithmetic" if seen is None else seen.device,
        title="By arithmetic" if seen is None else f"On {seen.device}",
        text=f"{count(len(judged), 'claim')}, {count(len(rows), 'finding')}: {said}.",
        table=Table(
            ["Claim", "Decided by", "Basis", "Verdict", "Figures"],
            [[str(text) for text in row] for row in rows],
            wide=frozenset({0, 1, 4}),
        ),
        label="claims and their verdicts",
        shown=True,
    )
