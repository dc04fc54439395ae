"""Each adapter of a library of its own against its true signature and its conventions."""

from __future__ import annotations

import pytest

from tests.kernels.libraries.flashinfer import FLASHINFER
from tests.kernels.libraries.held import claims, hold
from tests.kernels.libraries.sageattention import SAGE
from tests.kernels.libraries.standin import install
from tests.kernels.libraries.xformers import XFORMERS

ON_FLASHINFER = ("flashinfer_ragged", "decode_flashinfer", "mla_flashinfer")


@pytest.mark.parametrize(("name", "direction"), claims(*ON_FLASHINFER))
def test_flashinfer(name: str, direction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "flashinfer-python", FLASHINFER)
    hold(name, direction)


@pytest.mark.parametrize(("name", "direction"), claims("xformers"))
def test_xformers(name: str, direction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "xformers", XFORMERS)
    hold(name, direction, refused=("xformers leaves rows that see no key undefined",))


@pytest.mark.parametrize(("name", "direction"), claims("sage"))
def test_sageattention(name: str, direction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "sageattention", SAGE)
    hold(name, direction, refused=("SageAttention aligns causal to a square",))
