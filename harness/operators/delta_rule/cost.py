"""What the delta rule costs: what the state holds for k (2), β·k·(v − that)ᵀ added (2), read (2).

6 · dk · dv FLOPs a token and head.
"""

from __future__ import annotations

from harness.operators.recurrent.counts import Counts, Input

COUNTS = Counts(
    operator="delta_rule",
    inputs=(Input("q", "qk"), Input("k", "qk"), Input("v", "v"), Input("beta", "one")),
    step=6,
)
