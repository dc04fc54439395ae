"""What linear attention costs: kᵀv added to the state for each key, the state read by each query.

4 · dk · dv FLOPs a token and head (FIELD.md §2); feature map and normaliser aren't counted, as
attention's softmax isn't.
"""

from __future__ import annotations

from harness.operators.recurrent.counts import Counts, Input

COUNTS = Counts(
    operator="linear_attention",
    inputs=(Input("q", "qk"), Input("k", "qk", rows="k"), Input("v", "v", rows="k")),
    step=4,
    causal_only=False,
    scaled=False,
)
