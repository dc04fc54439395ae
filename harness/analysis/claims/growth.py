"""Claims on how cost grows with length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.analysis.claims.claim import Claim, Finding, Verdict, computed, within
from harness.analysis.claims.evidence import Evidence
from harness.analysis.scaling import Exponent
from harness.model import Problem
from harness.operators import cost_model

FULL = {"workload": "gpt2", "mask": "full", "direction": "forward", "dtype": "fp32"}
"""The articles' attention: nothing masked."""
QUADRATIC = (3.4, 4.6)
"""A doubling is called ×4 within 15 %, a straight line's exponent 1 within 0.15: time only
approaches what FLOPs do exactly, by the caches' leave."""
LINEAR = (0.85, 1.15)


def attention(length: int, **fields: object) -> Problem:
    """One head of 64, ``length`` tokens, fp16."""
    plain = Problem(1, 1, length, length, 64, 64, "fp16")
    return replace(plain, **fields)  # type: ignore[arg-type]


def flops(problem: Problem) -> int:
    """By the problem's own formula."""
    return cost_model(problem.operator).flops(problem)


def _doubled() -> Finding:
    ratio = flops(attention(4096)) / flops(attention(2048))
    return computed(Verdict.HOLDS, f"4·S²·d FLOPs: S doubled gives {ratio:g}×, exactly", ratio, "×")


def _doubled_here(seen: Evidence) -> Finding:
    short, long, ratio = seen.doubling("sdpa_flash", **FULL)
    what = f"sdpa_flash, {short:,} to {long:,} tokens"
    return within(what, ratio.value, ratio.low, ratio.high, *QUADRATIC)


def _grown(short: int, long: int, claimed: float) -> Callable[[], Finding]:
    def arithmetic() -> Finding:
        ratio = flops(attention(long)) / flops(attention(short))
        verdict = Verdict.HOLDS if ratio == claimed else Verdict.FAILS
        return computed(verdict, f"({long:,} / {short:,})² = {ratio:g}×", ratio, "×")

    return arithmetic


def _exponent(what: str, found: Exponent) -> Finding:
    what = f"{what}: time ∝ S^p over {found.points} lengths, p"
    return within(what, found.value, found.low, found.high, *LINEAR, unit="")


def _window() -> Finding:
    ratio = flops(attention(65536, causal=True, window_left=255)) / flops(
        attention(32768, causal=True, window_left=255)
    )
    return computed(
        Verdict.HOLDS, f"a window of 256 keys: S doubled gives {ratio:.3f}×", ratio, "×"
    )


def _window_here(seen: Evidence) -> Finding:
    return _exponent("sliding_chunks, window 256", seen.exponent("sliding_chunks", dtype="fp32"))


def _recurrent(operator: str) -> Callable[[], Finding]:
    def arithmetic() -> Finding:
        short, long = (
            Problem(1, 1, n, n, 64, 64, "fp16", causal=True, operator=operator)
            for n in (2048, 4096)
        )
        ratio = flops(long) / flops(short)
        text = f"{operator}: FLOPs a token don't depend on S; S doubled gives {ratio:g}×"
        return computed(Verdict.HOLDS if ratio == 2 else Verdict.FAILS, text, ratio, "×")

    return arithmetic


def _recurrent_here(kernel: str) -> Callable[[Evidence], Finding]:
    return lambda seen: _exponent(kernel, seen.exponent(kernel, dtype="fp32"))


def _strided() -> Finding:
    n, step = 16384, 128
    sparse = attention(
        n, causal=True, pattern="strided", params=(("local", step), ("stride", step))
    )
    share = flops(sparse) / flops(attention(n, causal=True))
    text = f"{n:,} tokens, stride and local {step}: {share:.1%} of causal attention's FLOPs"
    return computed(Verdict.HOLDS, text, 100 * share, "%")


def _decode_step() -> Finding:
    model = cost_model("decode")
    short, long = (
        Problem(32, 8, 1, n, 128, 128, "fp16", causal=True, operator="decode", cache="contiguous")
        for n in (4096, 8192)
    )
    ratio = model.min_bytes(long) / model.min_bytes(short)
    text = f"the cache is read once a step: context doubled gives {ratio:.3f}× the bytes"
    return computed(Verdict.HOLDS, text, ratio, "×")


def _decode_step_here(seen: Evidence) -> Finding:
    found = seen.exponent("decode_sdpa_flash", operator="decode")
    return _exponent("decode_sdpa_flash", found)


CLAIMS = [
    Claim(
        "twice_the_length",
        "Doubling the sequence length quadruples attention's compute.",
        "FLOPs = 4·S²·d a head; time over length",
        _doubled,
        _doubled_here,
    ),
    Claim(
        "8k_costs_16x",
        "8K tokens cost 16× the attention of 2K.",
        "(8/2)²",
        _grown(2000, 8000, 16),
    ),
    Claim(
        "10k_costs_25x",
        "10,000 tokens take roughly 25× the computation of 2,000.",
        "(10/2)²",
        _grown(2000, 10000, 25),
    ),
    Claim(
        "window_is_linear",
        "A sliding window of w keys costs O(n·w): linear in length.",
        "visible pairs ≈ S·w; exponent of time at fixed w",
        _window,
        _window_here,
    ),
    Claim(
        "strided_is_less",
        "Attention to local neighbours and every Nth token costs less.",
        "visible pairs / causal pairs",
        _strided,
    ),
    Claim(
        "linear_attention_is_linear",
        "Linear attention takes linear time.",
        "4·dk·dv FLOPs a token and head; exponent of time",
        _recurrent("linear_attention"),
        _recurrent_here("linear_chunked"),
    ),
    Claim(
        "mamba_is_linear",
        "Mamba processes sequences in linear time.",
        "FLOPs a token are constant; exponent of time",
        _recurrent("mamba2"),
        _recurrent_here("mamba2_chunked"),
    ),
    Claim(
        "rwkv_is_linear",
        "RWKV scales linearly.",
        "FLOPs a token are constant; exponent of time",
        _recurrent("rwkv7"),
        _recurrent_here("rwkv7_chunked"),
    ),
    Claim(
        "decode_grows_with_context",
        "Each output token attends to the whole context, so a step grows with it.",
        "bytes of the cache; exponent of a step's time over the context",
        _decode_step,
        _decode_step_here,
    ),
]
