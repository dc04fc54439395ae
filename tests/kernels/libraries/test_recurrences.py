"""fla-core and mamba-ssm: each adapter against its true signature and its own conventions."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.kernels.claims import shipped
from tests.kernels.libraries.held import claims, hold, wrong
from tests.kernels.libraries.recurrences import FLA, mamba_chunk_scan_combined
from tests.kernels.libraries.standin import install
from tests.signatures.libraries import LIBRARIES

FLA_KERNELS = sorted(name for name, kernel in shipped().items() if kernel.library == "fla-core")


@pytest.mark.parametrize(("name", "direction"), claims(*FLA_KERNELS))
def test_fla(name: str, direction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "fla-core", FLA)
    hold(name, direction)


@pytest.mark.parametrize(("name", "direction"), claims("mamba2_ssm"))
def test_mamba_ssm(name: str, direction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    function = "mamba_ssm.ops.triton.ssd_combined.mamba_chunk_scan_combined"
    install(monkeypatch, "mamba-ssm", {function: mamba_chunk_scan_combined})
    hold(name, direction)


def test_a_default_scale_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mamba-2's output has no scale; simple_gla divides by √N where none is given."""

    def forgetful(q: Any, k: Any, v: Any, g: Any, scale: float) -> Any:
        return FLA["fla.ops.simple_gla.chunk_simple_gla"](q, k, v, g, None)

    install(monkeypatch, "fla-core", {"fla.ops.simple_gla.chunk_simple_gla": forgetful})
    assert wrong("mamba2_fla_chunk", "bf16")


def test_all_that_is_read_of_fla_is_called() -> None:
    read = json.loads(LIBRARIES["fla-core"].file.read_text())["functions"]
    assert set(read) == set(FLA)


def test_a_form_that_is_not_there_is_refused() -> None:
    from tests.kernels.claims import module, problems
    from tests.kernels.libraries.held import CPU, H100

    problem = replace(next(problems("gla_fla_chunk", "bf16", "forward", H100)))
    reason = module("gla_fla_chunk").supports(problem, CPU, {"form": "fused"})
    assert reason == "no form fused: there are chunk, fused_recurrent"
