"""Recurrent = chunked = quadratic in fp64, to 1e-10, of every recurrent oracle; samples, whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from harness.errors import InvalidProblem
from harness.model import Problem
from harness.operators import cost_model, reference
from harness.operators.gates import judge
from harness.operators.recurrent import family
from tests.operators import chunked_forms, quadratic_forms
from tests.operators.recurrent_problems import RECURRENT, inputs, problems, recurrent

CPU = torch.device("cpu")


FORMS = {"quadratic": quadratic_forms.FORMS, "chunked": chunked_forms.FORMS}


def other(form: str, problem: Problem, seed: int = 1) -> dict[str, np.ndarray[Any, Any]]:
    """Outputs and gradients of another form, [all heads, rows, dim]."""
    x = inputs(problem, seed)
    out = FORMS[form][problem.operator](x, problem)
    found = {"out": out}
    if problem.direction != "forward":
        names = reference(problem.operator).DIFFERENTIABLE
        grads = torch.autograd.grad(out, [x[n] for n in names], x["grad_out"])
        found |= zip([f"d{n}" for n in names], grads, strict=True)
    return {n: t.detach().flatten(0, 1).numpy() for n, t in found.items()}


def test_every_recurrent_operator_has_both_other_forms() -> None:
    assert set(FORMS["quadratic"]) == set(FORMS["chunked"]) == set(RECURRENT)


@pytest.mark.parametrize("operator", RECURRENT)
def test_recurrent_is_chunked_is_quadratic(operator: str) -> None:
    @settings(max_examples=12, deadline=None)
    @given(problems(operator))
    def check(problem: Problem) -> None:
        cost_model(operator).validate(problem)
        got = reference(operator).expected(problem, 1).outputs["out"]
        for form in FORMS:
            want = other(form, problem)["out"]
            assert np.abs(got - want).max() <= 1e-10 * max(1.0, float(np.abs(want).max())), form

    check()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("operator", RECURRENT)
def test_gradients_are_those_of_the_other_forms(operator: str, form: str) -> None:
    """More tokens than a block of the scan, so that states are computed again between blocks."""
    tokens = 40 if operator == "path" else 70  # blocks of 32 and of 64
    problem = recurrent(operator, seq_q=tokens, seq_k=tokens, direction="forward_backward")
    want, found = other(form, problem), reference(operator).expected(problem, 1)
    assert list(found.outputs) == list(want)
    assert found.share == 1
    for name, right in want.items():
        size = max(1.0, float(np.abs(right).max()))
        assert np.abs(found.outputs[name] - right).max() <= 1e-10 * size, name


@pytest.mark.parametrize("form", FORMS)
def test_without_a_mask_every_query_reads_every_key(form: str) -> None:
    problem = recurrent("linear_attention", causal=False, seq_q=19, direction="forward_backward")
    want, found = other(form, problem), reference("linear_attention").expected(problem, 1)
    for name, right in want.items():
        assert np.abs(found.outputs[name] - right).max() < 1e-10, name


@pytest.mark.parametrize("operator", RECURRENT)
@pytest.mark.parametrize("layout", ["BHSD", "BSHD"])
def test_a_sample_of_heads_is_a_part_of_the_whole(
    operator: str, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = reference(operator)
    assert isinstance(module, family.Family)
    problem = recurrent(operator, batch=3, heads_q=4, heads_kv=4, direction="forward_backward")
    whole = module.expected(problem, 5)
    outputs = {}
    for name, shape in module.output_shapes(problem).items():
        tensor = torch.from_numpy(whole.outputs[name].reshape(shape))
        outputs[name] = tensor if layout == "BHSD" else tensor.transpose(1, 2).contiguous()
    monkeypatch.setattr(family, "WHOLE_UPDATES", 0)
    sampled = module.expected(problem, 5)
    assert {a.shape[0] for a in sampled.outputs.values()} == {1}
    assert sampled.share == pytest.approx(1 / 12)
    forward = replace(problem, direction="forward")
    assert module.expected(forward, 5).outputs["out"].shape[0] == family.SAMPLE_HEADS
    selected = module.select(problem, 5, outputs, layout)
    assert judge(problem, sampled, selected).ok
    for name, right in sampled.outputs.items():
        assert np.abs(selected[name] - right).max() < 1e-10


@pytest.mark.parametrize("operator", RECURRENT)
def test_what_is_wrong_is_seen(operator: str) -> None:
    """A factor of 3 %, the last row forgotten, the output one token late."""
    problem = recurrent(operator, dtype="bf16", seq_q=200, seq_k=200)
    found = reference(operator).expected(problem, 1)
    right = found.outputs["out"]
    rounded = torch.from_numpy(right).bfloat16().float().numpy()
    assert judge(problem, found, {"out": rounded}).ok
    forgotten = rounded.copy()
    forgotten[:, -1] = 0
    for wrong in (rounded * 1.03, forgotten, np.roll(rounded, 1, axis=1)):
        assert not judge(problem, found, {"out": wrong}).ok


@pytest.mark.parametrize("operator", RECURRENT)
def test_states_stay_bounded_at_length(operator: str) -> None:
    """Decays and rates lie where a state neither dies nor grows, so that fp16 can hold outputs."""
    problem = recurrent(operator, batch=1, heads_q=1, heads_kv=1, seq_q=1500, seq_k=1500)
    out = reference(operator).expected(problem, 2).outputs["out"]
    assert float(np.sqrt(np.square(out[:, -200:]).mean())) > 1e-3
    assert np.abs(out).max() < 2000


@pytest.mark.parametrize("operator", RECURRENT)
@pytest.mark.parametrize(
    ("field", "says"),
    [
        ({"window_left": 0}, "window_left=0"),
        ({"softcap": 3.0}, "softcap=3.0"),
        ({"seq_q": 7}, "seq_q=7"),
        ({"cache": "paged"}, "cache='paged'"),
        ({"dtype": "fp8_e4m3"}, "fp8_e4m3"),
        ({"direction": "backward", "seq_q": 1, "seq_k": 1}, "one token"),
    ],
    ids=lambda f: f if isinstance(f, str) else "",
)
def test_what_a_recurrence_cannot_mean_is_refused_by_name(
    operator: str, field: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidProblem, match=f"operator {operator} ") as refused:
        cost_model(operator).validate(recurrent(operator, **field))
    assert says in str(refused.value)
