"""Claims on memory: score matrices, KV caches, training."""

from __future__ import annotations

from collections.abc import Callable

from harness.analysis.claims.claim import Basis, Claim, Finding, Verdict, computed, within
from harness.analysis.claims.evidence import Evidence, NotMeasured
from harness.analysis.claims.growth import FULL
from harness.model import Problem
from harness.operators import cost_model

LLAMA3_8B = (32, 8, 128)
"""Query heads, key/value heads, head dim (meta-llama/Meta-Llama-3-8B config.json)."""
LAYERS_7B = 32
WEIGHTS_7B = 7e9
MLA_ELEMENTS = 512 + 64
"""DeepSeek-V3 keeps a latent and a rotated part a token and layer (arXiv 2412.19437)."""
MHA_ELEMENTS = 128 * (192 + 128)
"""The same layer's keys and values with every head's kept."""
GQA_ELEMENTS = 2 * 8 * 128
"""Keys and values of 8 heads of 128."""


def cache_bytes(length: int, heads_kv: int, dtype: str = "fp16") -> int:
    """Keys and values of one sequence in one layer of Llama-3 8B with so many heads of them."""
    heads_q, _, dim = LLAMA3_8B
    problem = Problem(
        heads_q, heads_kv, 1, length, dim, dim, dtype, causal=True, operator="decode",
        cache="contiguous",
    )  # fmt: skip
    return cost_model("decode").kv_cache_bytes(problem)


def _score_matrix(length: int, bytes_each: int, claimed_gb: float) -> Callable[[], Finding]:
    def arithmetic() -> Finding:
        gb = length**2 * bytes_each / 1e9
        verdict = Verdict.HOLDS if gb >= claimed_gb else Verdict.FAILS
        text = f"n²·{bytes_each} bytes = {gb:.3g} GB a head (its causal half {gb / 2:.3g} GB)"
        return computed(verdict, text, gb, "GB")

    return arithmetic


def _thousand_tokens() -> Finding:
    head, layer = 1000**2 * 4 / 1e6, 12 * 1000**2 * 4 / 1e6
    text = f"n²·4 bytes: {head:g} MB a head, {layer:g} MB for 12 heads"
    return computed(Verdict.HOLDS, text, layer, "MB")


def _thousand_tokens_here(seen: Evidence) -> Finding:
    peak = seen.peak_mb("eager", heads_q=12, seq_k=1000, direction="forward")[1000]
    verdict = Verdict.HOLDS if peak >= 48 else Verdict.FAILS
    text = (
        f"eager's peak over its inputs at 1,000 tokens, 12 heads, fp32: {peak:.3g} MB, "
        f"{peak / 48:.2g}× the matrix alone (scores, their softmax, the output)"
    )
    return Finding(Basis.MEASURED, verdict, text, peak, unit="MB")


def _quadratic_memory_here(seen: Evidence) -> Finding:
    eager = seen.memory_exponent("eager", **FULL)
    flash = seen.memory_exponent("sdpa_flash", **FULL)
    found = within("eager", eager.value, eager.low, eager.high, 1.85, 2.15, unit="")
    text = (
        f"peak ∝ S^p: eager p {eager.value:.3g} [{eager.low:.3g}, {eager.high:.3g}]; "
        f"sdpa_flash, which keeps no matrix, p {flash.value:.3g}"
    )
    return Finding(Basis.MEASURED, found.verdict, text, eager.value, eager.low, eager.high)


def _quadratic_memory() -> Finding:
    return computed(Verdict.HOLDS, "the score matrix has n² elements: (10/2)² = 25×", 25, "×")


def _flash_saves() -> Finding:
    dim = 64
    total, over = (2 * dim * (20 - 1), dim * (20 - 1) / 2)
    text = (
        f"the sequence is long: at head dim {dim} naive attention takes 20× from {over:,.0f} "
        f"tokens on over the inputs (1 + 2N/d), from {total:,} with inputs and output (1 + N/2d), "
        "and more beyond"
    )
    return computed(Verdict.CONDITIONAL, text)


def _flash_saves_here(seen: Evidence) -> Finding:
    eager, flash = seen.peak_mb("eager", **FULL), seen.peak_mb("sdpa_flash", **FULL)
    ratios = {n: eager[n] / flash[n] for n in sorted(eager.keys() & flash.keys()) if flash[n] > 0}
    if not ratios:
        raise NotMeasured("eager and sdpa_flash have no length in common with a known peak")
    listed = ", ".join(f"{n:,} tokens {ratio:.3g}×" for n, ratio in ratios.items())
    best = max(ratios.values())
    enough = [n for n, ratio in ratios.items() if ratio >= 20]
    text = f"peak over the inputs, eager over sdpa_flash: {listed}"
    if enough:
        verdict = Verdict.CONDITIONAL
        text = f"there are {min(enough):,} tokens or more; {text}"
    else:
        verdict = Verdict.HOLDS if best > 1 else Verdict.FAILS
    return Finding(Basis.MEASURED, verdict, text, best, unit="×")


def _gqa() -> Finding:
    heads_q, heads_kv, _ = LLAMA3_8B
    saved = 100 * (1 - cache_bytes(8192, heads_kv) / cache_bytes(8192, heads_q))
    text = (
        f"1 − Hkv/Hq: Llama-3 8B's {heads_q} → {heads_kv} heads save {saved:.3g} % of the cache; "
        "30 to 40 % only as a share of weights and cache together"
    )
    return computed(Verdict.FAILS, text, saved, "%")


def _gqa_7b() -> Finding:
    def total(weight_bits: int, heads_kv: int) -> float:
        cache = LAYERS_7B * cache_bytes(8192, heads_kv)
        return (WEIGHTS_7B * weight_bits / 8 + cache) / 1e9

    int4, fp16 = [(total(bits, 32), total(bits, 8)) for bits in (4, 16)]
    text = (
        f"the weights are int4: {int4[0]:.2g} → {int4[1]:.2g} GB with 32 → 8 heads at 8,192 "
        f"tokens; in fp16 it is {fp16[0]:.3g} → {fp16[1]:.3g} GB"
    )
    return computed(Verdict.CONDITIONAL, text, int4[1], "GB")


def _mla() -> Finding:
    mha = 100 * (1 - MLA_ELEMENTS / MHA_ELEMENTS)
    gqa = 100 * (1 - MLA_ELEMENTS / GQA_ELEMENTS)
    text = (
        f"{MLA_ELEMENTS} elements a token and layer: {mha:.3g} % less than DeepSeek-V3's heads "
        f"would take ({MHA_ELEMENTS:,}), {gqa:.3g} % less than 8 heads of 128 ({GQA_ELEMENTS:,})"
    )
    return computed(Verdict.FAILS, text, mha, "%")


def _cache_grows() -> Finding:
    length = cache_bytes(16384, 8) / cache_bytes(8192, 8)
    heads = cache_bytes(8192, 32) / cache_bytes(8192, 8)
    text = f"2·S·Hkv·d elements: S doubled {length:g}×, 8 → 32 heads {heads:g}×, exactly"
    return computed(Verdict.HOLDS, text, length, "×")


def _training_here(seen: Evidence) -> Finding:
    where = FULL | {"direction": "forward_backward"}
    both, forward = seen.peak_mb("eager", **where), seen.peak_mb("eager", **FULL)
    flash = seen.peak_mb("sdpa_flash", **where), seen.peak_mb("sdpa_flash", **FULL)
    length = max(both.keys() & forward.keys(), default=0)
    if not length:
        raise NotMeasured("eager: no length both forward and forward_backward")
    ratio = both[length] / forward[length]
    text = f"peak over the inputs at {length:,} tokens: eager {ratio:.3g}×"
    if all(length in side and side[length] > 0 for side in flash):
        text += f", sdpa_flash {flash[0][length] / flash[1][length]:.3g}×"
    verdict = Verdict.HOLDS if 2 <= ratio <= 3 else Verdict.FAILS
    return Finding(Basis.MEASURED, verdict, f"{text}; claimed: 2 to 3×", ratio, unit="×")


CLAIMS = [
    Claim(
        "1k_tokens_4mb",
        "1,000 tokens in fp32 need 4 MB of scores a head, nearly 50 MB for 12 heads.",
        "n²·4 bytes a head; peak memory of naive attention",
        _thousand_tokens,
        _thousand_tokens_here,
    ),
    Claim(
        "memory_is_quadratic",
        "Memory grows with length as compute does.",
        "n² scores; exponent of peak memory over length",
        _quadratic_memory,
        _quadratic_memory_here,
    ),
    Claim(
        "128k_over_16gb",
        "At 128K tokens the score matrix takes over 16 GB in fp16.",
        "n²·2 bytes",
        _score_matrix(131072, 2, 16),
    ),
    Claim(
        "200k_is_80gb",
        "At 200K tokens one head's score matrix takes 80 GB in fp16.",
        "n²·2 bytes",
        _score_matrix(200_000, 2, 80),
    ),
    Claim(
        "flash_saves_20x",
        "FlashAttention uses up to 20× less memory at long lengths.",
        "peak of naive over that of flash",
        _flash_saves,
        _flash_saves_here,
    ),
    Claim(
        "gqa_saves_a_third",
        "GQA cuts the KV cache by 30 to 40 %.",
        "1 − Hkv/Hq",
        _gqa,
    ),
    Claim(
        "gqa_7b_8gb_to_5gb",
        "MHA to GQA in a 7B model takes a request from about 8 GB to 5 GB at 8,192 tokens.",
        "weights + layers·2·S·Hkv·d·2 bytes",
        _gqa_7b,
    ),
    Claim(
        "mla_saves_40_percent",
        "MLA takes about 40 % less memory.",
        "elements kept a token and layer",
        _mla,
    ),
    Claim(
        "cache_grows",
        "The KV cache grows with length and with the number of its heads.",
        "2·S·Hkv·d elements",
        _cache_grows,
    ),
    Claim(
        "training_doubles_memory",
        "Training takes two to three times the memory of inference.",
        "peak of forward and backward over that of forward",
        None,
        _training_here,
    ),
]
