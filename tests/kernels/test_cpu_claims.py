"""Every kernel is right in everything that its yaml claims on a CPU: it is tested as it exists."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
import torch
import torch._dynamo
import torch._inductor.config
from torch.nn.attention import flex_attention

from harness.measure import server
from harness.model import Gpu, Problem
from tests.kernels.claims import claimed, module, problems, run, shipped, thinned

CPU = torch.device("cpu")
PROCESSOR = Gpu("cpu", "cpu")


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """flex runs its functions as plain torch here: compiling each claim would take minutes."""
    monkeypatch.setattr(flex_attention, "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG", True)
    with torch.compiler.set_stance("force_eager"):  # transformers compiles it by itself
        yield


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.filterwarnings("ignore:_compile flag on create_block_mask")
@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize(("name", "dtype", "direction"), claimed("cpu"))
def test_what_is_claimed_on_a_cpu_is_right(name: str, dtype: str, direction: str) -> None:
    compiled = ("flex", "decode_flex", "eager_compiled")
    options = {"compile": False} if name in compiled else {}
    cases = thinned(name, dtype, direction, PROCESSOR)
    assert {p.mask for p in cases} == set(dict(shipped()[name].limits)["cpu"].masks)
    wrong = {p.summary(): r for p in cases if (r := run(name, p, CPU, **options))}
    assert wrong == {}


@pytest.mark.parametrize("name", sorted(n for n, k in shipped().items() if "cpu" in dict(k.limits)))
def test_nothing_claimed_on_a_cpu_is_refused_by_supports(name: str) -> None:
    """What a plan promises, the worker does: a late refusal there would be a gap in every table."""
    supports = getattr(module(name), "supports", None)
    if supports is None:
        return
    if name.endswith("flex") and shutil.which("g++") is None:
        pytest.skip("no C++ compiler: flex refuses everything, and says so")
    options = dict(shipped()[name].options)
    for kernel, dtype, direction in claimed("cpu"):
        if kernel == name:
            for problem in problems(name, dtype, direction, PROCESSOR):
                assert supports(problem, CPU, options) is None


def square(**given: object) -> Problem:
    fields: dict[str, object] = {
        "heads_q": 4, "heads_kv": 4, "seq_q": 64, "seq_k": 64, "head_dim_qk": 64,
        "head_dim_v": 64, "dtype": "bf16",
    }  # fmt: skip
    return Problem(**(fields | given))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "given", "reason"),
    [
        ("sdpa_flash", {"head_dim_v": 32}, "value head dim 32 differs from 64"),
        ("sdpa_flash", {"softcap": 5.0}, "softcap not computed"),
        ("sdpa_cudnn", {}, "runs on cuda, not on cpu"),
        ("sdpa_efficient", {}, "runs on cuda, not on cpu"),
        ("flex", {"direction": "backward"}, "direction backward not among forward"),
        ("flex", {"dtype": "fp64"}, "dtype fp64 not among fp32, fp16, bf16"),
        ("numpy", {}, "dtype bf16 not among fp64, fp32"),
        ("eager_lowp", {"dtype": "fp32"}, "dtype fp32 not among fp16, bf16"),
    ],
)
def test_what_a_kernel_cannot_do_is_a_skip_with_its_reason(
    name: str, given: dict[str, object], reason: str
) -> None:
    assert shipped()[name].refusal(square(**given), PROCESSOR) == reason


def test_sdpa_raises_rather_than_use_another_backend() -> None:
    """Beyond its limits flash has no kernel here, and math is not put in its place."""
    code = module("sdpa_flash")
    problem = square(head_dim_v=32)
    fn = code.build(problem, CPU, {"backend": "FLASH_ATTENTION"})
    q = torch.zeros(1, 4, 64, 64, dtype=torch.bfloat16)
    with pytest.raises(RuntimeError, match="No available kernel"):
        fn({"q": q, "k": q, "v": q[..., :32]})


@pytest.mark.parametrize("backend", ["MATH", "FLASH_ATTENTION"])
def test_sdpa_really_uses_the_backend_it_names(backend: str) -> None:
    fn = module("sdpa_math").build(square(), CPU, {"backend": backend})
    q = torch.zeros(1, 4, 64, 64, dtype=torch.bfloat16, requires_grad=True)
    with torch.profiler.profile() as profile:
        fn({"q": q, "k": q, "v": q})
    used = {event.key for event in profile.key_averages() if "scaled_dot_product" in event.key}
    wanted = {"MATH": "attention_math", "FLASH_ATTENTION": "flash_attention_for_cpu"}
    assert any(wanted[backend] in name for name in used)
    assert not any(other in name for name in used for b, other in wanted.items() if b != backend)


@pytest.mark.parametrize(
    ("backend", "given", "form"),
    [
        ("FLASH_ATTENTION", {"causal": True}, "is_causal"),
        ("FLASH_ATTENTION", {"causal": True, "seq_q": 32}, "lower_right"),
        ("EFFICIENT_ATTENTION", {"causal": True, "seq_q": 32}, "lower_right"),
        ("EFFICIENT_ATTENTION", {"causal": True, "window_left": 5}, "tensor"),
        ("CUDNN_ATTENTION", {"causal": True}, "is_causal"),
        ("CUDNN_ATTENTION", {"causal": True, "seq_q": 32}, None),
        ("FLASH_ATTENTION", {"window_left": 5}, None),
        ("MATH", {"causal": True, "seq_q": 32}, "tensor"),
    ],
)
def test_how_each_backend_is_told_the_mask_on_cuda(
    backend: str, given: dict[str, object], form: str | None
) -> None:
    code, problem = module("sdpa_math"), square(**given)
    assert code.mask_form(problem, "cuda", backend) == form
    if form is None:
        assert "no bottom-right" in code.supports(problem, "cuda", {"backend": backend})


@pytest.mark.parametrize("form", ["none", "is_causal", "lower_right", "tensor"])
def test_torch_is_asked_for_the_last_word(form: str) -> None:
    """On a CPU torch refuses all three CUDA backends: a refusal must reach the user as a reason."""
    code = module("sdpa_flash")
    for backend in code.CAN_USE:
        reason = code.torchs_refusal(square(direction="backward", causal=True), CPU, backend, form)
        assert reason.startswith(f"torch refuses {backend}: ")


def test_efficient_refuses_queries_that_see_no_key() -> None:
    supports = module("sdpa_efficient").supports
    reason = supports(square(causal=True, seq_q=90), "cuda", {"backend": "EFFICIENT_ATTENTION"})
    assert reason == "EFFICIENT_ATTENTION is wrong for queries that see no key"


COMPILED: dict[str, dict[str, object]] = {
    # Sq > Sk, so that some rows see nothing
    "flex": {"heads_kv": 2, "seq_q": 150, "seq_k": 140, "window_left": 19, "softcap": 4.0},
    "eager_compiled": {"heads_q": 2, "heads_kv": 1, "seq_q": 9, "seq_k": 7, "softcap": 4.0},
    "decode_flex": {
        "operator": "decode", "cache": "contiguous", "batch": 2, "heads_q": 2, "heads_kv": 1,
        "seq_q": 1, "seq_k": 20, "head_dim_qk": 17, "head_dim_v": 17, "lengths": "uniform",
    },
}  # fmt: skip


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles with g++ on a CPU")
@pytest.mark.parametrize("name", COMPILED)
def test_the_compiled_form_is_right(name: str) -> None:
    """The one form that is ever timed, built as shipped; each compiles once, the smallest it can.

    In this process, as a worker does: torch's pool of compilers would count as left behind.
    """
    compiles = torch._dynamo.utils.counters["stats"]
    before = compiles["unique_graphs"]
    server.settle_compiler()
    with torch._inductor.config.patch(compile_threads=1):
        assert run(name, square(causal=True, dtype="fp32", **COMPILED[name]), CPU) == ""
    assert compiles["unique_graphs"] > before


@pytest.mark.parametrize("name", ["flex", "hf_flex", "decode_flex"])
def test_flex_claims_no_head_dim_of_which_torch_computes_garbage(name: str) -> None:
    """torch 2.13, compiled on a CPU: of 16 and less outputs are off by 0.4 and more, or NaN."""
    limits = dict(shipped()[name].limits)["cpu"]
    for dims, reason in ((16, "head dim 16 below 17"), (17, None)):
        given: dict[str, object] = {"head_dim_qk": dims, "head_dim_v": dims}
        if name == "decode_flex":
            given |= {"operator": "decode", "cache": "contiguous"}
        assert limits.refusal(square(**given), PROCESSOR) == reason


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("seq_q", [40, 70])
def test_flex_applies_sinks_through_the_log_sum_exp(seq_q: int) -> None:
    """Claimed on a GPU alone, but the formula is right or wrong anywhere; some rows see nothing."""
    problem = square(heads_kv=2, seq_q=seq_q, seq_k=50, sinks=True, causal=True, dtype="fp32")
    assert run("flex", problem, CPU, compile=False) == ""


@pytest.mark.parametrize(
    "window",
    [
        {"causal": True, "window_left": 100},
        {"causal": True, "window_left": 1},
        {"window_left": 5, "window_right": 130},
        {"window_left": 1000, "window_right": 1000},
    ],
)
def test_strips_wider_than_a_block_and_than_the_sequence(window: dict[str, object]) -> None:
    """sliding_chunks reaches over several blocks of 64 to either side, the last one half full."""
    problem = square(seq_q=290, seq_k=290, dtype="fp64", heads_kv=2, **window)
    assert run("sliding_chunks", problem, CPU) == ""


def test_a_window_without_a_bound_has_no_strip() -> None:
    reason = module("sliding_chunks").supports(square(window_left=5), CPU, {"chunk": 64})
    assert "bound to both sides" in reason
