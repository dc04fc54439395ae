"""What articles say of attention, each claim held to arithmetic and to what was measured here.

    for judged in judge(results(store, experiment="claims"), "AMD EPYC", "cpu"):
        print(judged.claim.name, [finding.verdict for finding in judged.findings])

A claim is an entry in the list ``CLAIMS`` of a module here: growth, memory, speed, quality.
"""

from harness.analysis.claims.claim import Basis, Claim, Finding, Verdict
from harness.analysis.claims.evidence import EXPERIMENT, Evidence
from harness.analysis.claims.judge import CLAIMS, Judged, evidence, judge

__all__ = [
    "CLAIMS",
    "EXPERIMENT",
    "Basis",
    "Claim",
    "Evidence",
    "Finding",
    "Judged",
    "Verdict",
    "evidence",
    "judge",
]
