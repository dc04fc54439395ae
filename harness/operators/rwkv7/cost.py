"""What RWKV-7 costs: state decayed (1), aᵀS (2), b·(aᵀS) and k·vᵀ made and added (4), read (2).

9 · d² FLOPs a token and head (FIELD.md §2).
"""

from __future__ import annotations

from harness.operators.recurrent.counts import Counts, Input

COUNTS = Counts(
    operator="rwkv7",
    inputs=tuple(Input(name, "qk") for name in ("r", "w", "k", "v", "a", "b")),
    step=9,
    scaled=False,
    square=True,
)
