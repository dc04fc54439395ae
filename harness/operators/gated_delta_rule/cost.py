"""What the gated delta rule costs: the delta rule's 6 and the decay (1).

7 · dk · dv FLOPs a token and head.
"""

from __future__ import annotations

from harness.operators.recurrent.counts import Counts, Input

MODEL = "gated_delta_rule/1"
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
validate = COUNTS.validate
flops = COUNTS.flops
min_bytes = COUNTS.min_bytes
kv_cache_bytes = COUNTS.kv_cache_bytes
visible_pairs = COUNTS.visible_pairs
