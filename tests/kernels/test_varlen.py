"""varlen, which torch has on CUDA alone: what it is told, against its signature and a stand-in."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn.attention import varlen

from harness.model import Gpu, Problem
from tests.kernels.claims import module, run, shipped

CPU = torch.device("cpu")


def packed(**given: object) -> Problem:
    fields: dict[str, object] = {
        "heads_q": 4, "heads_kv": 2, "seq_q": 64, "seq_k": 64, "head_dim_qk": 64,
        "head_dim_v": 64, "dtype": "bf16",
    }  # fmt: skip
    return Problem(**(fields | given))  # type: ignore[arg-type]


VARLEN: list[dict[str, object]] = [
    {},
    {"causal": True, "lengths": "uniform", "batch": 3},
    {"causal": True, "lengths": "uniform", "batch": 3, "seq_q": 80},
    {"window_left": 5, "window_right": 9, "lengths": "skewed", "batch": 4},
    {"causal": True, "window_left": 7},
    {"causal": True, "pattern": "document", "params": (("documents", 5), ("seed", 0)), "batch": 2},
]


@pytest.mark.parametrize("given", VARLEN, ids=str)
def test_varlen_is_told_the_right_sequences(
    given: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop by torch's documentation stands in; torch's own signature must take the call too."""
    signature = inspect.signature(varlen.varlen_attn)
    called = []

    def by_the_documentation(
        q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, edges_q: torch.Tensor,
        edges_k: torch.Tensor, longest_q: int, longest_k: int, *, scale: float,
        window_size: tuple[int, int], enable_gqa: bool,
    ) -> torch.Tensor:  # fmt: skip
        more: dict[str, Any] = {"scale": scale, "window_size": window_size}
        more["enable_gqa"] = enable_gqa
        called.append(signature.bind(q, k, v, edges_q, edges_k, longest_q, longest_k, **more))
        assert enable_gqa
        assert edges_q.dtype is edges_k.dtype is torch.int32
        assert longest_q == int(edges_q.diff().max())
        assert longest_k == int(edges_k.diff().max())
        outs = []
        for (a, b), (c, d) in zip(
            itertools.pairwise(edges_q.tolist()), itertools.pairwise(edges_k.tolist()), strict=True
        ):
            back = torch.arange(b - a)[:, None] + (d - c) - (b - a) - torch.arange(d - c)
            left, right = window_size
            seen = (back <= left) if left >= 0 else torch.ones_like(back, dtype=torch.bool)
            seen = seen & (back >= -right) if right >= 0 else seen
            x, y, z = (t.transpose(0, 1) for t in (q[a:b], k[c:d], v[c:d]))
            out = torch.nn.functional.scaled_dot_product_attention(
                x[None], y[None], z[None], seen, scale=scale, enable_gqa=True
            )
            outs.append(out[0].transpose(0, 1))
        return torch.cat(outs)

    monkeypatch.setattr(module("varlen"), "varlen_attn", by_the_documentation)
    assert run("varlen", packed(**given), CPU) == ""
    assert called


def signature_of_211(
    query: Any, key: Any, value: Any, cu_seq_q: Any, cu_seq_k: Any, max_q: int, max_k: int, *,
    return_aux: Any = None, scale: float | None = None, window_size: tuple[int, int] = (-1, -1),
) -> Any:  # fmt: skip
    """torch 2.11's, torch/nn/attention/varlen.py."""
    return query


@pytest.mark.parametrize(
    ("function", "heads_kv", "says"),
    [
        (varlen.varlen_attn, 2, ""),
        (signature_of_211, 4, ""),
        (signature_of_211, 2, "takes no grouped heads: 2.12 does"),
    ],
)
def test_an_older_torch_is_called_with_what_it_takes(
    function: Callable[..., Any], heads_kv: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, problem = module("varlen"), packed(heads_kv=heads_kv, causal=True, window_left=9)
    monkeypatch.setattr(code, "varlen_attn", function)
    reason = code.supports(problem, "cuda", {})
    assert says in reason if says else reason is None
    if function is signature_of_211 and not says:
        q = torch.zeros(64, 4, 64, dtype=torch.bfloat16)
        assert code.build(problem, CPU, {})({"q": q, "k": q, "v": q}) is q


def test_on_a_cpu_it_is_a_skip_with_its_reason() -> None:
    refused = shipped()["varlen"].refusal(packed(), Gpu("cpu", "cpu"))
    assert refused == "runs on cuda, not on cpu"
