"""Work left behind and answers kept, on a device that does what it is told."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from harness.measure.audit import Unfinished, finished_outputs, kept_answers
from harness.measure.binding import Binding
from harness.measure.tamper import differences, snapshot, thread_idents
from tests.measure.test_modes import CountingDevice


class LaggingDevice(CountingDevice):
    """As a GPU on which another stream is still at work when the timed one is done."""

    def __init__(self, lag_ms: float = 0.0, at_the_end: Callable[[], Any] = lambda: None) -> None:
        super().__init__()
        self._lag_ms, self._at_the_end = lag_ms, at_the_end

    def unfinished_ms(self) -> float:
        self._at_the_end()
        return self._lag_ms


def test_an_output_that_is_final_passes() -> None:
    out = torch.tensor([1.0, float("nan")])
    finished_outputs({"out": out}, LaggingDevice(0.02), thread_idents(), first=False)


def test_an_output_written_after_the_call_is_found() -> None:
    out = torch.zeros(4)
    device = LaggingDevice(at_the_end=lambda: out.fill_(1.0))
    with pytest.raises(Unfinished, match="output out was still being written"):
        finished_outputs({"out": out}, device, thread_idents(), first=False)


def test_a_device_that_goes_on_after_the_timed_stream_is_found() -> None:
    with pytest.raises(Unfinished, match=r"busy for 3 ms .* another stream"):
        finished_outputs({"out": torch.zeros(4)}, LaggingDevice(3.0), thread_idents(), first=False)


def bound(fn: Callable[[dict[str, torch.Tensor]], torch.Tensor]) -> Binding:
    return Binding(fn, {"q": torch.zeros(4), "lengths": torch.arange(4)}, "forward", ("q",))


VALUES = {"q": torch.randn(4), "lengths": torch.arange(4)}


def test_a_kernel_that_computes_keeps_no_answers() -> None:
    def computes(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        time.sleep(0.002)
        return inputs["q"] * 2

    # Even where the samples were far quicker than a lone call is.
    assert kept_answers(bound(computes), CountingDevice(), VALUES, sample_ms=0.1) is None


def test_a_kernel_that_keeps_answers_is_found() -> None:
    answers: dict[float, torch.Tensor] = {}

    def remembers(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        key = float(inputs["q"].sum())
        if key not in answers:
            end = time.process_time() + 0.002
            while time.process_time() < end:
                pass
            answers[key] = inputs["q"] * 2
        return answers[key]

    found = kept_answers(bound(remembers), CountingDevice(), VALUES, sample_ms=0.05)
    assert found is not None
    assert "keeps the answers" in found


def test_a_process_left_as_it_was_shows_no_difference() -> None:
    before = snapshot()
    torch.nn.functional.softmax(torch.zeros(3), -1)
    assert differences(before, snapshot()) == []


def test_a_replaced_method_of_the_harness_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    before = snapshot()
    monkeypatch.setattr(Binding, "call", lambda self: None)
    assert differences(before, snapshot()) == ["harness.measure.binding.Binding.call was replaced"]
