"""A problem's short text tells apart what a reader must tell apart."""

from __future__ import annotations

import pytest

from harness.model import Problem


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "full"),
        ({"causal": True}, "causal"),
        ({"causal": True, "window_left": 4095}, "causal_window[4095:0]"),
        ({"window_left": 128, "window_right": 64}, "window[128:64]"),
        ({"window_right": 64}, "window[:64]"),
        ({"softcap": 50.0}, "softcap50"),
    ],
)
def test_mask_window_and_softcap_are_said(given: dict[str, object], words: str) -> None:
    problem = Problem(4, 4, 64, 64, 32, 32, "fp32", **given)  # type: ignore[arg-type]
    assert words in problem.summary().split()
