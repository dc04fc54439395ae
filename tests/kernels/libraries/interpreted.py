"""SageAttention itself, in Triton's interpreter: run with TRITON_INTERPRET=1, prints JSON.

Its own assertion that tensors are on CUDA is answered for it; everything else is the library's.
"""

from __future__ import annotations

import json

import torch

from harness.measure import contract
from harness.measure.outcome import Trial
from harness.model import Problem
from tests.kernels.claims import shipped

CPU = torch.device("cpu")


def problem(seq: int, dim: int, heads_kv: int, causal: bool) -> Problem:
    return Problem(
        heads_q=2, heads_kv=heads_kv, seq_q=seq, seq_k=seq, head_dim_qk=dim, head_dim_v=dim,
        dtype="fp16", causal=causal,
    )  # fmt: skip


def main() -> None:
    torch.Tensor.is_cuda = property(lambda self: True)  # type: ignore[assignment,misc]
    sage = shipped()["sage"]
    tried = {
        "causal": contract.attempt(Trial(sage, problem(128, 64, 1, True), fresh=True), CPU),
        "causal 96": contract.attempt(Trial(sage, problem(64, 96, 2, True)), CPU),
        "full": contract.attempt(Trial(sage, problem(128, 128, 1, False)), CPU),
        "full, cut": contract.attempt(Trial(sage, problem(70, 64, 1, False)), CPU),
    }
    print(json.dumps({name: (o.status, o.reason, o.max_error) for name, o in tried.items()}))


if __name__ == "__main__":
    main()
