"""What RWKV-6 costs: k·vᵀ (1), weighted and added to be read (2), read (2), state updated (2).

7 · d² FLOPs a token and head (FIELD.md §2).
"""

from __future__ import annotations

from harness.operators.recurrent.counts import Counts, Input

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
