"""What the gated delta rule costs: the delta rule's 6 and the decay (1).

7 · dk · dv FLOPs a token and head.
"""

from __future__ import annotations

from harness.operators.recurrent.counts import Counts, Input

COUNTS = Counts(
    operator="gated_delta_rule",
    inputs=(
        Input("q", "qk"),
        Input("k", "qk"),
        Input("v", "v"),
        Input("g", "one"),
        Input("beta", "one"),
    ),
    step=7,
)
