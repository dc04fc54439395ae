"""Our Triton kernels' numbers, in Triton's interpreter.

The interpreter runs the kernel's own source on the CPU, so indices, masks and the algebra of both
passes are held to the oracle. It says nothing of bf16 (its numpy has none), of races, or of speed.
Every operation of every program costs it 0.1 ms: problems are few and small, and each shows much.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from harness.config.catalog import gpus
from harness.measure.outcome import Trial
from harness.measure.trials import Trials
from harness.model import Kernel, Problem
from tests.kernels.claims import shipped


def attention(heads: tuple[int, int], tokens: tuple[int, int], **given: Any) -> Problem:
    """Both passes at once, of the narrowest head dim: the others differ in their tiles alone."""
    fields: dict[str, Any] = {"dtype": "fp32", "direction": "forward_backward"}
    return Problem(
        heads_q=heads[0], heads_kv=heads[1], seq_q=tokens[0], seq_k=tokens[1],
        head_dim_qk=64, head_dim_v=64, **fields | given,
    )  # fmt: skip


def decode(heads: tuple[int, int], tokens: tuple[int, int], dim: int = 64, **given: Any) -> Problem:
    fields: dict[str, Any] = {"dtype": "fp32", "cache": "contiguous"}
    fields |= {"head_dim_qk": dim, "head_dim_v": dim}
    return Problem(
        operator="decode", heads_q=heads[0], heads_kv=heads[1], seq_q=tokens[0], seq_k=tokens[1],
        **fields | given,
    )  # fmt: skip


def mla(heads: int, tokens: tuple[int, int], **given: Any) -> Problem:
    fields: dict[str, Any] = {"dtype": "fp32", "cache": "contiguous", "scale": 192**-0.5}
    return Problem(
        operator="mla", heads_q=heads, heads_kv=1, seq_q=tokens[0], seq_k=tokens[1],
        head_dim_qk=576, head_dim_v=512, **fields | given,
    )  # fmt: skip


def linear(tokens: tuple[int, int], dims: tuple[int, int], **given: Any) -> Problem:
    fields: dict[str, Any] = {"dtype": "fp32", "direction": "forward_backward"}
    return Problem(
        operator="linear_attention", heads_q=1, heads_kv=1, seq_q=tokens[0], seq_k=tokens[1],
        head_dim_qk=dims[0], head_dim_v=dims[1], **fields | given,
    )  # fmt: skip


CAUSAL: dict[str, Any] = {"causal": True}
UNEVEN: dict[str, Any] = {"batch": 2, "lengths": "uniform"}
PAGES = decode((4, 2), (2, 192), 128, cache="paged", page_size=64, **CAUSAL, **UNEVEN)
PROBLEMS: dict[str, list[Problem]] = {
    "triton_flash": [
        attention((2, 1), (70, 70), sinks=True, **CAUSAL, **UNEVEN),
        attention((2, 1), (90, 37), softcap=4.0, **CAUSAL),  # the first rows see nothing
        attention((1, 1), (33, 140), **UNEVEN),
        attention((1, 1), (1, 65), sinks=True, dtype="fp16"),
        attention((2, 1), (70, 140), window_left=19, sinks=True, softcap=4.0, **CAUSAL),
        attention((1, 1), (70, 70), window_left=19, dtype="fp16", **CAUSAL, **UNEVEN),
        attention((2, 1), (90, 37), window_left=7, window_right=40, sinks=True, **UNEVEN),
        attention((1, 1), (70, 70), window_left=7, window_right=40, softcap=4.0, dtype="fp16"),
    ],
    "decode_triton": [
        PAGES,  # whole tiles in a page, heads of a group as rows
        replace(PAGES, kv_dtype="int8", window_left=70, dtype="fp16"),
        decode((1, 1), (2, 1290), cache="paged", page_size=6, batch=1, **CAUSAL),  # two merges
        decode((4, 1), (18, 40), softcap=4.0, **CAUSAL),  # two tiles of rows
        decode((1, 1), (18, 37), 128, lengths_seed=1, **CAUSAL, **UNEVEN),  # rows see nothing
        decode((2, 2), (1, 117), 256, softcap=4.0, dtype="fp16", **UNEVEN),
        decode((2, 1), (5, 117), 128, head_dim_v=64, window_left=19, **CAUSAL),
        decode((6, 1), (1, 117), cache="paged", page_size=9, window_left=19, **CAUSAL, **UNEVEN),
        decode((1, 1), (3, 117), cache="paged", page_size=39, dtype="fp16"),
        decode((2, 2), (1, 117), 128, kv_dtype="int8", **UNEVEN),
    ],
    "mla_triton": [
        mla(3, (2, 96), cache="paged", page_size=32, **CAUSAL, **UNEVEN),  # whole tiles in a page
        mla(4, (17, 30), lengths_seed=1, **CAUSAL, **UNEVEN),  # two tiles of rows, some see nothing
        mla(2, (1, 81), dtype="fp16", cache="paged", page_size=9),
        mla(1, (3, 50), kv_dtype="int8", **CAUSAL, **UNEVEN),
        mla(1, (1, 300), cache="paged", page_size=3, **CAUSAL),  # two merges
    ],
    "linear_triton": [
        linear((70, 70), (40, 24), **CAUSAL),  # three segments, the last not full
        linear((40, 40), (128, 32), **CAUSAL),  # the state in tiles of k's columns,
        linear((40, 40), (32, 128), dtype="fp16", **CAUSAL),  # and of v's
        linear((520, 520), (16, 17), direction="forward", **CAUSAL),  # two chunks a segment
        linear((70, 33), (17, 32), dtype="fp16", batch=2),
        linear((1, 130), (64, 16)),
    ],
}
"""What each kernel is tried on, of the first also with other values in the same inputs."""
CASES = [(name, problem) for name, problems in PROBLEMS.items() for problem in problems]


def kernel(name: str) -> Kernel:
    return shipped()[name]


@pytest.fixture(scope="module")
def interpreter() -> Iterator[Trials]:
    with pytest.MonkeyPatch.context() as patch:  # read where triton is imported: by the server
        patch.setenv("TRITON_INTERPRET", "1")
        trials = Trials("cpu")
    with trials:
        yield trials


@pytest.mark.parametrize(
    ("name", "problem"), CASES, ids=[f"{name} {p.summary()}" for name, p in CASES]
)
def test_its_numbers_are_right_in_the_interpreter(
    name: str, problem: Problem, interpreter: Trials
) -> None:
    again = problem == PROBLEMS[name][0]
    outcome = interpreter.attempt(Trial(kernel(name), problem, fresh=again))
    assert outcome.status == "passed", outcome.reason
    assert outcome.repeatable


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_problems_go_through_every_claim(name: str) -> None:
    (_, limits), *_ = kernel(name).limits
    tried = PROBLEMS[name]
    assert {p.mask for p in tried} == set(limits.masks)
    assert {p.cache for p in tried} == set(limits.caches)
    assert {p.kv_dtype for p in tried} == {"", *limits.kv_dtypes}
    assert {p.dtype for p in tried} == {"fp16", "fp32"}
    for trait in ("softcap", "sinks", "lengths"):
        claimed = limits.uneven_lengths if trait == "lengths" else getattr(limits, trait)
        assert {bool(getattr(p, trait)) for p in tried} == {False, claimed}, trait
    assert any(p.group > 1 for p in tried) or not limits.gqa
    assert any(p.seq_q != p.seq_k for p in tried) or not limits.cross
    as_claimed = [replace(p, dtype="fp16") for p in tried]
    assert {limits.refusal(p, gpus()["h100"]) for p in as_claimed} == {None}


def test_no_triton_kernel_is_left_out() -> None:
    own = {name for name, k in shipped().items() if k.library == "triton"}
    assert own == set(PROBLEMS)
