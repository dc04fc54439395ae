"""What was compiled, with stand-ins for Triton's modules that have the same names."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from harness.measure import nvcc
from harness.measure.compiled import CompileWatch
from harness.measure.loader import KERNEL_MODULES


class Autotuner:
    """As triton.runtime.autotuner.Autotuner: it gets ``best_config`` when it has chosen."""

    def __init__(self, name: str) -> None:
        self.base_fn = SimpleNamespace(__name__=name)

    def run(self, config: str) -> None:
        self.best_config = config


Autotuner.__module__ = "triton.runtime.autotuner"


@pytest.fixture
def triton(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A knob with a listener, an autotuner in a kernel's module, and the module of autotuners."""
    knobs = ModuleType("triton.knobs")
    heard: list[bool] = []
    knobs.compilation = SimpleNamespace(  # type: ignore[attr-defined]
        listener=lambda *a, cache_hit=False, **k: heard.append(cache_hit)
    )
    autotuner = ModuleType("triton.runtime.autotuner")
    autotuner.Autotuner = Autotuner  # type: ignore[attr-defined]
    tuner, kernel = Autotuner("_forward"), ModuleType(f"{KERNEL_MODULES}a")
    kernel.forward = tuner  # type: ignore[attr-defined]
    for module in (knobs, autotuner, kernel):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return SimpleNamespace(compilation=knobs.compilation, tuner=tuner, heard=heard)  # type: ignore[attr-defined]


def test_where_nothing_was_compiled_there_is_nothing_to_say() -> None:
    with CompileWatch() as watch:
        assert watch.found() == {}


@pytest.mark.parametrize(
    ("hits", "said"), [([True, True], "warm"), ([True, False], "cold"), ([False], "cold")]
)
def test_one_compilation_makes_a_job_cold(
    hits: list[bool], said: str, triton: SimpleNamespace
) -> None:
    with CompileWatch() as watch:
        for hit in hits:
            triton.compilation.listener(src=None, cache_hit=hit)
        assert watch.found()["compile_cache"] == said
    assert triton.heard == hits  # somebody else's listener hears them still


def test_the_listener_is_given_back_even_where_the_kernel_raised(triton: SimpleNamespace) -> None:
    before = triton.compilation.listener

    def fails() -> None:
        with CompileWatch():
            assert triton.compilation.listener is not before
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert triton.compilation.listener is before


def test_what_autotuning_chose_is_named_and_a_choice_of_an_earlier_job_is_not(
    triton: SimpleNamespace,
) -> None:
    triton.tuner.run("BLOCK: 32")
    with CompileWatch() as watch:
        assert "autotune" not in watch.found()
        triton.tuner.run("BLOCK: 64, num_warps: 4")
        assert watch.found()["autotune"] == "_forward: BLOCK: 64, num_warps: 4"


@pytest.mark.parametrize(("kept", "said"), [([True], "warm"), ([True, False], "cold")])
def test_a_library_that_nvcc_built_makes_a_job_cold(
    kept: list[bool], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvcc, "found_kept", [False])  # of a job before
    with CompileWatch() as watch:
        nvcc.found_kept.extend(kept)
        assert watch.found() == {"compile_cache": said}
