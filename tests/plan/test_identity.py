"""Golden identities. If one of these changes, every stored series is lost: don't update them."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.model import Gpu, Job, Kernel, Limits, Problem, Timing
from harness.model.identity import non_default_fields

KERNEL = Kernel("eager", "attention", "attention/eager.py", options=(("softmax", "fp32"),))
PROBLEM = Problem(
    heads_q=32,
    heads_kv=8,
    seq_q=2048,
    seq_k=2048,
    head_dim_qk=128,
    head_dim_v=128,
    dtype="bf16",
    causal=True,
)


def test_kernel_id() -> None:
    assert Kernel("numpy", "attention", "attention/numpy_softmax.py").id == "4a653a818713068c38b4"
    assert KERNEL.id == "e639efc3c57489c6b993"


def test_kernel_id_ignores_source_and_version_and_limits() -> None:
    moved = Kernel(
        "eager",
        "attention",
        "elsewhere.py",
        options=(("softmax", "fp32"),),
        limits=(("cpu", Limits(dtypes=("fp32",))),),
        library="torch",
        folder="/somewhere",
    )
    assert moved.id == KERNEL.id


def test_problem_key() -> None:
    assert PROBLEM.key == "398a821171d2b96d4e3e"
    windowed = Problem(
        heads_q=8,
        heads_kv=8,
        seq_q=1,
        seq_k=4096,
        head_dim_qk=192,
        head_dim_v=128,
        dtype="fp16",
        batch=4,
        causal=True,
        window_left=127,
        softcap=50.0,
        scale=0.0625,
        direction="forward_backward",
        params=(("stride", 64),),
    )
    assert windowed.key == "7e683f35e2203b99d7c1"


def test_job_and_series_keys() -> None:
    job = Job(KERNEL, PROBLEM, Gpu("h100"), Timing())
    assert job.key == "563fd0bbda41165e4b52"
    assert (
        Job(KERNEL, PROBLEM, Gpu("cpu", kind="cpu"), Timing(mode="hot")).key
        == "0a00cecee0181b2f0d55"
    )
    assert job.series_key("NVIDIA H100 80GB HBM3") == "9162a3e8679bfc3e3a21"


def test_only_the_gpus_name_and_the_timings_mode_count() -> None:
    a = Job(KERNEL, PROBLEM, Gpu("h100", bandwidth_gb_s=3350.0), Timing(launches=5, seed=3))
    assert a.key == Job(KERNEL, PROBLEM, Gpu("h100"), Timing()).key


def test_a_field_added_later_with_a_default_keeps_every_key() -> None:
    @dataclass(frozen=True)
    class Later(Problem):
        colour: str = field(default="")

    same = Later(**PROBLEM.to_dict() | {"params": ()})
    assert same.key == PROBLEM.key
    assert Later(**PROBLEM.to_dict() | {"params": (), "colour": "red"}).key != PROBLEM.key
    assert "colour" not in non_default_fields(same)


def test_one_meaning_has_one_key() -> None:
    by_window = Problem.from_dict({**PROBLEM.to_dict(), "causal": False, "window_right": 0})
    assert by_window.key == PROBLEM.key
    assert Problem.from_dict({**PROBLEM.to_dict(), "kv_dtype": "bf16"}).key == PROBLEM.key
