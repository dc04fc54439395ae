"""What transformers is told for flash_attention_2, which runs on CUDA alone: against a stand-in."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from harness.model import Gpu, Problem
from tests.kernels import standin_flash_attn as standin
from tests.kernels.claims import claimed, module, problems, run, shipped

NAME = "hf_flash_attention_2"
CPU = torch.device("cpu")
H100 = Gpu("h100", "cuda", compute_capability=9.0)
CLAIMS = [(dtype, direction) for name, dtype, direction in claimed("cuda") if name == NAME]


@pytest.mark.parametrize(("dtype", "direction"), CLAIMS)
def test_everything_claimed_is_right(
    dtype: str, direction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    standin.install(monkeypatch)
    code, options = module(NAME), dict(shipped()[NAME].options)
    cases = list(problems(NAME, dtype, direction, H100))
    assert {p.mask for p in cases} == {"full", "causal", "causal_window"}
    assert any(p.seq_q > p.seq_k for p in cases)
    assert any(p.head_dim_v < p.head_dim_qk for p in cases)
    wrong = {}
    for problem in cases:
        assert code.supports(problem, CPU, options) is None
        reason = run(NAME, problem, CPU)
        if reason:
            wrong[problem.summary()] = reason
    assert wrong == {}


@pytest.mark.parametrize("window", [None, 19])
def test_a_diagonal_in_the_other_corner_is_seen(
    window: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """flash-attn before 2.1 was aligned to the top left."""

    def top_left(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, **given: Any) -> torch.Tensor:
        assert given["causal"]
        sizes = given.get("window_size", (-1, -1))
        return standin.attend(q, k, v, k.shape[1], given["softmax_scale"], True, sizes, 0.0)

    standin.install(monkeypatch, top_left)
    fields: dict[str, Any] = {"causal": True, "window_left": window, "dtype": "bf16"}
    dims = {"heads_q": 4, "heads_kv": 2, "head_dim_qk": 64, "head_dim_v": 64}
    assert run(NAME, Problem(seq_q=70, seq_k=70, **dims, **fields), CPU) == ""
    assert "error" in run(NAME, Problem(seq_q=33, seq_k=140, **dims, **fields), CPU)


def test_without_flash_attn_it_is_refused_and_nothing_is_fetched() -> None:
    """transformers would look for a kernel on its hub instead: a silent fall-back."""
    problem = Problem(
        heads_q=2, heads_kv=2, seq_q=8, seq_k=8, head_dim_qk=64, head_dim_v=64, dtype="fp16"
    )
    reason = module(NAME).supports(problem, "cuda", dict(shipped()[NAME].options))
    assert reason == "transformers finds no flash-attn of 2.3.3 or later with CUDA"


def test_values_wider_than_keys_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    standin.install(monkeypatch)
    problem = Problem(
        heads_q=2, heads_kv=2, seq_q=8, seq_k=8, head_dim_qk=64, head_dim_v=128, dtype="fp16"
    )
    reason = module(NAME).supports(problem, "cuda", dict(shipped()[NAME].options))
    assert "would cut wider ones" in reason
