"""What RWKV-6 costs: k·vᵀ (1), weighted and added to be read (2), read (2), state updated (2).

7 · d² FLOPs a token and head (FIELD.md §2).
"""

from __future__ import annotations

from harness.operators.recurrent.counts import Counts, Input

MODEL = "rwkv6/1"
COUNTS = Counts(
    operator="rwkv6",
    inputs=(
        Input("r", "qk"),
        Input("k", "qk"),
        Input("v", "v"),
        Input("w", "qk"),
        Input("u", "qk", rows="weight", trained=False),
    ),
    step=7,
    scaled=False,
    square=True,
)
validate = COUNTS.validate
flops = COUNTS.flops
min_bytes = COUNTS.min_bytes
kv_cache_bytes = COUNTS.kv_cache_bytes
visible_pairs = COUNTS.visible_pairs
