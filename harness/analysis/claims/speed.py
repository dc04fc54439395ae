"""Claims on time: FlashAttention, prefill and decode, attention's share of the whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.analysis.claims.claim import Basis, Claim, Finding, Verdict, computed
from harness.analysis.claims.evidence import Evidence, NotMeasured, Ratio
from harness.analysis.claims.growth import FULL
from harness.config.catalog import gpus
from harness.model import Problem
from harness.operators import cost_model

PARAMETERS_8B = 8e9
BYTES_EACH = 2
"""Weights and cache in bf16."""
WIDTH_8B, LAYERS_8B = 4096, 32


def _faster(least: float, most: float) -> Callable[[Evidence], Finding]:
    def measured(seen: Evidence) -> Finding:
        naive, flash = seen.lengths("eager", **FULL), seen.lengths("sdpa_flash", **FULL)
        ratios = {n: seen.ratio(naive[n], flash[n]) for n in naive if n in flash}
        if not ratios:
            raise NotMeasured("eager and sdpa_flash have no length in common")
        return _by_length(ratios, least, most)

    return measured


def _by_length(ratios: dict[int, Ratio], least: float, most: float) -> Finding:
    """Holds where it does at every length; else the text says at which."""
    listed = ", ".join(
        f"{n:,} tokens {r.value:.3g}× [{r.low:.3g}, {r.high:.3g}]" for n, r in ratios.items()
    )
    inside = [n for n, r in ratios.items() if r.low <= most and r.high >= least]
    surely = [n for n, r in ratios.items() if least <= r.low and r.high <= most]
    longest = ratios[max(ratios)]
    text = f"eager's time over sdpa_flash's: {listed}; claimed: {least:g} to {most:g}×"
    if len(surely) == len(ratios):
        verdict = Verdict.HOLDS
    elif not inside:
        verdict = Verdict.FAILS
    elif surely:
        verdict = Verdict.CONDITIONAL
        text = f"the length is {', '.join(f'{n:,}' for n in surely)}. {text}"
    else:
        verdict = Verdict.UNDECIDED
    return Finding(
        Basis.MEASURED, verdict, text, longest.value, longest.low, longest.high, unit="×"
    )


def intensity(problem: Problem) -> float:
    """FLOPs a byte that must move."""
    model = cost_model(problem.operator)
    return model.flops(problem) / model.min_bytes(problem)


def _bound() -> Finding:
    prefill = Problem(32, 8, 8192, 8192, 128, 128, "bf16", causal=True)
    step = replace(prefill, seq_q=1, operator="decode", cache="contiguous")
    needs = intensity(prefill)
    decode = intensity(step)
    ridges = {
        gpu.name: peak * 1e3 / gpu.bandwidth_gb_s
        for gpu in gpus().values()
        if (peak := gpu.peak("bf16")) and gpu.bandwidth_gb_s
    }
    holds = all(decode < ridge < needs for ridge in ridges.values())
    text = (
        f"Llama-3 8B at 8,192 tokens: a decode step does {decode:.2g} FLOP a byte, prefill "
        f"{needs:,.0f}; the {len(ridges)} GPUs of conf/gpu with known peaks turn from memory- to "
        f"compute-bound at {min(ridges.values()):.0f} to {max(ridges.values()):.0f}"
    )
    return computed(Verdict.HOLDS if holds else Verdict.FAILS, text, decode, "FLOP/B")


def _bound_here(seen: Evidence) -> Finding:
    if seen.gpu is None or not seen.gpu.bandwidth_gb_s or not seen.gpu.peak("fp32"):
        raise NotMeasured(f"{seen.device} has no known peaks to hold its rates against")
    found = seen.select("decode_sdpa_flash", operator="decode")
    longest = found[found["seq_k"] == found["seq_k"].max()]
    memory = float(longest["bandwidth_gb_s"].median()) / seen.gpu.bandwidth_gb_s
    peak = seen.gpu.peak(str(longest["dtype"].iloc[0])) or float("nan")
    compute = float(longest["tflops"].median()) / peak
    text = f"a decode step uses {memory:.0%} of the memory bandwidth, {compute:.1%} of the FLOPs"
    verdict = Verdict.HOLDS if memory > compute else Verdict.FAILS
    return Finding(Basis.MEASURED, verdict, text, 100 * memory, unit="%")


def _half() -> Finding:
    def share(length: int, width: int) -> float:
        return (length + 2 * width) / (length + 6 * width)

    text = (
        f"(n + 2d)/(n + 6d) of a layer's FLOPs: {share(512, 768):.0%} at 512 tokens for a width of "
        f"768, {share(512, 4096):.0%} for 4,096; half is reached at n = 2d ({2 * 768:,} and "
        f"{2 * 4096:,} tokens). By time it may differ: a whole layer isn't measured here"
    )
    return computed(Verdict.FAILS, text, 100 * share(512, 768), "%")


def response_s(gpu: str, prompt: int, output: int) -> float:
    """Seconds of an 8B model by roofline: prefill at the peak, each token one read of the weights.

    The cache's bytes are left out: 0.13 MB a token beside 16 GB. KeyError for an unknown GPU.
    """
    facts = gpus()[gpu]
    peak, bandwidth = facts.peak("bf16"), facts.bandwidth_gb_s
    assert peak is not None
    assert bandwidth is not None
    prefill = 2 * PARAMETERS_8B * prompt / (peak * 1e12)
    return prefill + output * PARAMETERS_8B * BYTES_EACH / (bandwidth * 1e9)


def _prompts() -> Finding:
    listed = [
        f"{gpu}: {response_s(gpu, 6000, 50):.2g} s against {response_s(gpu, 500, 2000):.3g} s"
        for gpu in ("a100_80", "h200")
    ]
    holds = all(response_s(gpu, 6000, 50) < response_s(gpu, 500, 2000) for gpu in gpus_named())
    text = f"8B by roofline, {'; '.join(listed)}"
    return computed(Verdict.HOLDS if holds else Verdict.FAILS, text)


def gpus_named() -> tuple[str, ...]:
    """The chips that the prompts are computed for: the article's, and a newer one."""
    return ("a100_80", "h200")


def _end_to_end() -> Finding:
    # 4·(1 − a) + 16·a = 4.5 for the share a of the quadratic part at 2K.
    needed = (18 / 4 - 4) / (16 - 4)
    tokens = 2048
    quadratic = 2 * tokens * WIDTH_8B * LAYERS_8B  # causal: half of 4·n·d a token and layer
    share = quadratic / (quadratic + 2 * PARAMETERS_8B)
    grown = 4 * (1 - share) + 16 * share
    text = (
        f"scores are {needed:.1%} of the time at 2K: the rest grows by 4×, they by 16×. In an 8B "
        f"model they are {share:.1%} of the FLOPs, which gives {grown:.2g}×; so nearly all of the "
        "growth is the linear part's"
    )
    return computed(Verdict.CONDITIONAL, text, grown, "×")


CLAIMS = [
    Claim(
        "flash_is_2_to_4x",
        "FlashAttention is commonly 2 to 4 times as fast.",
        "time of naive over that of flash",
        None,
        _faster(2, 4),
    ),
    Claim(
        "flash_is_3_to_5x_on_a100",
        "FlashAttention has 3 to 5 times the throughput of naive PyTorch on A100 and H100.",
        "time of naive over that of flash",
        None,
        _faster(3, 5),
        chip=r"\b(A100|H100)\b",
    ),
    Claim(
        "decode_is_bandwidth_bound",
        "Decode is bound by memory bandwidth; prefill by compute.",
        "FLOPs a byte against the chip's ridge",
        _bound,
        _bound_here,
    ),
    Claim(
        "half_the_work_from_512",
        "Attention takes over half of inference once there are more than 512 tokens.",
        "(n + 2d)/(n + 6d) of a layer's FLOPs",
        _half,
    ),
    Claim(
        "long_prompt_short_answer",
        "6,000 tokens in and 50 out feel faster than 500 in and 2,000 out.",
        "prefill at peak FLOPs + output · weights / bandwidth",
        _prompts,
    ),
    Claim(
        "2k_to_8k_takes_4_5x",
        "A call took 4 s at 2K tokens and nearly 18 s at 8K, because of attention.",
        "4·(1 − a) + 16·a for the share a of attention's scores at 2K",
        _end_to_end,
    ),
]
