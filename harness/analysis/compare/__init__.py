"""What is faster, and how surely: two sides of launches compared, cell by cell.

On plain arrays, without a store (a row a cell, a number a launch):

    from harness.analysis.compare import judge

    judged = judge(before_ms, after_ms, least_effect=0.02, boards=(boards_before, boards_after))
    list(zip(judged.verdict, judged.ratio, judged.low, judged.high))
"""

from harness.analysis.compare.moderation import Prior, estimate_prior
from harness.analysis.compare.summary import Mean, geometric_mean
from harness.analysis.compare.verdicts import Judged, Verdict, judge

__all__ = ["Judged", "Mean", "Prior", "Verdict", "estimate_prior", "geometric_mean", "judge"]
