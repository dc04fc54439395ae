"""What PaTH attention costs: causal attention, and a step H for each pair of tokens apart.

Forward 2·P·(dk + dv) as attention's, and 4·dk for each of the P − S pairs with j < i: qᵀH =
qᵀ − β·(qᵀw)·wᵀ is one product and one update (FIELD.md §2 has no figure; this is the recurrence's).
Backward: attention's 2·P·(3dk + 2dv), and 12·dk a pair: each step again, and two products each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from harness.model import Problem
from harness.operators.recurrent.counts import Counts, Input


@dataclass(frozen=True)
class PathCounts(Counts):
    """Counts of a softmax over pairs, where the recurrent operators have a state."""

    STATEFUL: ClassVar[bool] = False

    def flops(self, p: Problem) -> int:
        """FLOPs of the problem's direction, as the module's docstring says."""
        pairs, dk, dv = self.visible_pairs(p), p.head_dim_qk, p.head_dim_v
        apart = pairs - p.seq_q
        forward = 2 * pairs * (dk + dv) + 4 * apart * dk
        backward = 2 * pairs * (3 * dk + 2 * dv) + 12 * apart * dk
        per_head = {"forward": forward, "backward": backward}
        per_head["forward_backward"] = forward + backward
        return p.batch * p.heads_q * per_head[p.direction]

    def kv_cache_bytes(self, p: Problem) -> int:
        """Bytes of all keys and values: a decoding step multiplies the cached keys by its H."""
        return p.batch * p.heads_kv * p.seq_k * (p.head_dim_qk + p.head_dim_v) * p.element_bytes


COUNTS = PathCounts(
    operator="path",
    inputs=(
        Input("q", "qk"),
        Input("k", "qk"),
        Input("v", "v"),
        Input("w", "qk"),
        Input("beta", "one"),
    ),
    step=0,
)
