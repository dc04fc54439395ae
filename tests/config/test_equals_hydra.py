"""Random commands give, cell by cell, exactly what Hydra's own compose gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.config.experiment import expand
from harness.config.loader import Composer
from harness.config.paths import conf_dir
from harness.errors import ConfigError
from tests.config.hydra_reference import cells, composed

ADVERSARIAL = Path(__file__).parent / "adversarial"
MAX_CELLS = 8

ADVERSARIAL_POOL = {
    "kernel": ["a", "b", "c", "d", "e", "f", "g", "nope"],
    "workload": ["x", "y", "z", "w"],
    "timing": ["t", "slow"],
    "dtype": ["fp16", "'a b'", "1", "null", "${kernel.name}", "[1,2]", "1e-05", "true", "nan"],
    "workload.seq": ["2", "-3", "2.5", "abc", "${timing.n}", "'7'"],
    "workload.nested.p": ["3", "{k: 1}", "${..seq}", "null"],
    "workload.nested": ["{p: 5}", "{t: 6}", "7", "null", "[1]"],
    "workload.nested.r.s": ["2", "3"],
    "workload.only_x": ["6", "7"],
    "+workload.nested.new": ["1", "{m: 2}"],
    "+free.k": ["1", "2", "{a: 1}"],
    "+free": ["{k: 1}", "{j: 2}"],
    "++free.k.l": ["1", "2"],
    "++kernel.block": ["3", "4"],
    "kernel.block": ["16", "null", "${workload.seq}"],
    "kernel.extra.0": ["9"],
    "++alias.p": ["8", "9"],
    "alias.p": ["8"],
    "alias": ["${other}", "4"],
    "other": ["{p: 11}", "${workload.nested}"],
    "other.p": ["12", "${dtype}"],
    "derived.length": ["1", "${dtype}"],
    "derived.own": ["${kernel.name}", "z"],
    "timing.n": ["6", "7", "8"],
    "+timing@second": ["t", "slow"],
    "kernel@elsewhere": ["a"],
    "missing.key": ["1"],
    "+brand.new.key": ["1", "x"],
    "+brand": ["{new: 3}"],
    "~workload.nested": [],
    "~workload.only_x": [],
    "~timing.mode": [],
    "~derived": [],
    "~timing": [],
}
REAL_POOL = {
    "kernel": ["eager", "numpy", "sdpa_math", "eager_lowp"],
    "workload": ["gpt2", "llama3_8b", "mistral_7b", "cross_attention", "{batch: 7}"],
    "gpu": ["cpu", "h100", "a100_40", "local"],
    "timing": ["default", "quick", "hot"],
    "store": ["sqlite", "postgres"],
    "cluster": ["local", "address"],
    "dtype": ["fp32", "bf16", "1"],
    "direction": ["forward", "backward"],
    "workload.seq_len": ["128", "null", "x", "1.0", "'64'"],
    "workload.seq_q": ["1", "${workload.seq_k}"],
    "workload.causal": ["true", "false", "yes", "1", "maybe"],
    "workload.softcap": ["1", "2.5", "true"],
    "workload.description": ["abc", "1", "${kernel.name} of ${dtype}"],
    "workload.heads_kv": ["1", "${workload.heads_q}", "null"],
    "+workload.params.a": ["1", "b"],
    "workload.params": ["{a: 1}", "{b: 2}"],
    "timing.launches": ["1", "2", "2.0"],
    "timing.budget_s": ["1", "0.5", "${timing.warmup_s}"],
    "kernel.options": ["{a: 1}"],
    "kernel.options.softmax": ["fp32", "native"],
    "+kernel.options.block": ["1", "2"],
    "kernel.limits.cpu.dtypes": ["[fp32]", "[fp32,bf16]"],
    "gpu.peak_tflops": ["{fp32: 1}", "null"],
    "gpu.memory_gib_range": ["[1,2]", "null"],
    "gpu.threads": ["1", "2"],
    "workload.unknown": ["1"],
    "++workload.unknown": ["1", "2"],
    "~workload.description": [],
    "+note": ["a", "{b: 1}"],
}


def commands(pool: dict[str, list[str]]) -> st.SearchStrategy[list[str]]:
    def override(key: str) -> st.SearchStrategy[str]:
        values = pool[key]
        if not values:
            return st.just(key)
        picked = st.lists(st.sampled_from(values), min_size=1, max_size=3)
        return picked.map(lambda some: f"{key}={','.join(some)}")

    return st.lists(st.sampled_from(sorted(pool)).flatmap(override), min_size=1, max_size=4)


def check(conf: Path, command: list[str], config_name: str = "config") -> None:
    expected_cells = cells(conf, command)
    if len(expected_cells) > MAX_CELLS:
        return
    expected = [composed(conf, cell, config_name) for cell in expected_cells]
    failed = [e for e in expected if isinstance(e, Exception)]
    try:
        (experiment,) = expand(Composer(conf, config_name=config_name), command, multirun=True)
        (matrix,) = experiment.matrices
        got = [matrix.config(combo) for combo in matrix.combos()]
    except ConfigError as error:
        if failed:
            return
        raise AssertionError(f"{command}: Hydra composes it, but: {error}") from error
    assert not failed, f"{command}: Hydra refuses it ({failed[0]!r}), but got {got}"
    assert [repr(_sorted(g)) for g in got] == [repr(_sorted(e)) for e in expected], (
        f"{command} ({matrix.why_real or 'merged'})"
    )


def _sorted(value: object) -> object:
    """Order of keys is no part of a config; the type of a value is (repr tells 1 from 1.0)."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value, key=str)}
    return [_sorted(v) for v in value] if isinstance(value, list) else value


quiet = settings(
    max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


@quiet
@given(command=commands(ADVERSARIAL_POOL))
def test_adversarial_configs_equal_hydra(command: list[str]) -> None:
    check(ADVERSARIAL, command)


@quiet
@given(command=commands(REAL_POOL))
def test_real_configs_equal_hydra(command: list[str]) -> None:
    check(conf_dir(), command)


@pytest.mark.parametrize(
    "command",
    [
        ["kernel=a,b", "workload=x,y,w", "dtype=fp16,fp32"],
        ["kernel=c,a", "workload=x,y", "timing=t,slow"],
        ["kernel=a,d", "timing.n=1,2"],
        ["kernel=a,e", "other.p=1,2"],
        ["workload=x,w", "workload.only_x=6,7"],
        ["workload=x,y", "workload.only_x=6,7"],
        ["workload=x,w", "workload.nested.p=3,{k: 1}"],
        ["+free.k=1,2", "+free.j=3,4"],
        ["+free.k=1,2", "free.k=5"],
        ["workload.nested={p: 5},{t: 6}", "workload.nested.p=1,2"],
        ["++alias.p=8,9", "workload.nested.p=1,2"],
        ["workload=x,w", "~workload.only_x"],
        ["kernel=a,b", "kernel=c"],
        ["workload.seq=1,2", "workload={seq: 9}"],
        ["derived.length=1,${dtype}", "dtype=a,b"],
        ["+timing@second=t,slow", "kernel=a,b"],
    ],
)
def test_known_traps(command: list[str]) -> None:
    check(ADVERSARIAL, command)


@pytest.mark.parametrize(
    "command", [["kernel=a,b", "workload=x,y"], ["kernel=a,b", "timing.n=1,2"]]
)
def test_defaults_chosen_by_interpolation(command: list[str]) -> None:
    check(ADVERSARIAL, command, "chosen")


def test_independent_axes_are_merged_and_interacting_ones_composed() -> None:
    def why(command: list[str], name: str = "config") -> str:
        (experiment,) = expand(Composer(ADVERSARIAL, config_name=name), command, multirun=True)
        return experiment.matrices[0].why_real

    assert why(["kernel=a,b", "workload=x,y", "workload.seq=1,2"]) == ""
    assert "kernel=d" in why(["kernel=a,d"])
    assert "kernel=e" in why(["kernel=a,e"])
    assert "workload=z" in why(["workload=x,z"])
    assert "overlap" in why(["workload.nested={p: 1},{p: 2}", "workload.nested.p=1,2"])
    assert "interpolation" in why(["kernel=a,b", "workload=x,y"], "chosen")
    assert "interpolation" in why(["++alias.p=1,2"])


def test_an_experiments_cells_equal_hydra() -> None:
    (experiment,) = expand(Composer(ADVERSARIAL), ["experiment=many", "timing.n=3"])
    main, included = experiment.matrices
    assert len(main) == 8
    assert len(included) == 1
    for matrix in experiment.matrices:
        for combo in matrix.combos():
            overrides = tuple(matrix.overrides(combo))
            assert "experiment=many" in overrides
            assert "timing.n=3" in overrides
            expected = composed(ADVERSARIAL, overrides)
            assert _sorted(matrix.config(combo)) == _sorted(expected)
