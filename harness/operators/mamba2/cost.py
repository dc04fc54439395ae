"""What Mamba-2 costs: the state decayed (1), b·xᵀ added (2), read by c (2).

5 · N · P FLOPs a token and head; others count 5 to 7 (FIELD.md §2). In the words of Problem
head_dim_qk is the state's size N, head_dim_v the head's P, heads_kv the groups of b and c.
"""

from __future__ import annotations

from harness.operators.recurrent.counts import Counts, Input

COUNTS = Counts(
    operator="mamba2",
    inputs=(
        Input("x", "v"),
        Input("a", "one"),
        Input("b", "qk", heads="kv"),
        Input("c", "qk", heads="kv"),
    ),
    step=5,
    shared_heads=True,
    scaled=False,
)
