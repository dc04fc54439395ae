"""flash-attn 2, 3 and 4: each adapter against its true signature and its own conventions."""

from __future__ import annotations

import pytest

from tests.kernels.libraries import flash_attn
from tests.kernels.libraries.held import claims, hold, wrong
from tests.kernels.libraries.standin import install

SECOND = ("fa2", "fa2_varlen", "decode_fa2")
THIRD = ("fa3", "fa3_varlen", "decode_fa3")
FOURTH = ("fa4", "fa4_varlen")


@pytest.mark.parametrize(("name", "direction"), claims(*SECOND))
def test_generation_2(name: str, direction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "flash-attn", flash_attn.generation_2())
    hold(name, direction)


@pytest.mark.parametrize(("name", "direction"), claims(*THIRD))
def test_generation_3(name: str, direction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "flash-attn-3", flash_attn.generation_3())
    hold(name, direction)


@pytest.mark.parametrize(("name", "direction"), claims(*FOURTH))
def test_generation_4(name: str, direction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "flash-attn-4", flash_attn.generation_4())
    hold(name, direction)


def test_the_other_corner_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """flash-attn before 2.1 was aligned to the top left: what fails is causal with Sq ≠ Sk."""
    install(monkeypatch, "flash-attn", flash_attn.generation_2("top left"))
    failed = wrong("fa2", "fp16")
    assert {"causal", "causal_window"} <= {problem.mask for problem, _ in failed}
    assert not [problem for problem, _ in failed if problem.seq_q == problem.seq_k]


def test_without_the_library_it_is_refused() -> None:
    from tests.kernels.claims import module, problems
    from tests.kernels.libraries.held import CPU, H100

    problem = next(problems("fa4", "bf16", "forward", H100))
    reason = module("fa4").supports(problem, CPU, {"generation": 3})
    assert reason == "flash-attn here has no flash_attn_interface"
