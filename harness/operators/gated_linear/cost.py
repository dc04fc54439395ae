"""What gated linear attention costs: the state decayed (1), k·vᵀ added (2), read (2).

5 · dk · dv FLOPs a token and head.
"""

from __future__ import annotations

from harness.operators.recurrent.counts import Counts, Input

COUNTS = Counts(
    operator="gated_linear",
    inputs=(Input("q", "qk"), Input("k", "qk"), Input("v", "v"), Input("g", "qk")),
    step=5,
)
