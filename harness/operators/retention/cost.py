"""What retention costs: the state decayed (1), k·vᵀ added (2), read (2).

5 · dk · dv FLOPs a token and head.
"""

from __future__ import annotations

from harness.operators.recurrent.counts import Counts, Input

COUNTS = Counts(
    operator="retention",
    inputs=(Input("q", "qk"), Input("k", "qk"), Input("v", "v")),
    step=5,
)
