"""Every typing error gets a line or two that say what was wrong and what to type instead."""

from __future__ import annotations

import pytest

from harness.errors import ConfigError
from harness.plan import build_plan

SINGLE = {
    "kernel=eagr": "there is no kernel 'eagr'. Did you mean eager or ",
    "gpu=h101": "there is no gpu 'h101'. Did you mean h100",
    "experiment=quickstrat": "there is no experiment 'quickstrat'. Did you mean quickstart?",
    "workload=null": "there is no workload 'null'. There are: bigbird,",
    "wrkload=gpt2": "there is no group or key 'wrkload'. Did you mean workload?",
    "kernel/x=2": "there is no group 'kernel/x'. Did you mean kernel?",
    "dtyp=fp32": "there is no group or key 'dtyp'. Did you mean dtype?",
    "workload.seqlen=4": "there is no key 'workload.seqlen'. Did you mean workload.seq_len",
    "++workload.seqlen=4": "workload llama3_8b has no key 'seqlen'. Did you mean seq_len",
    "workload.params.x=3": "there is no key 'workload.params.x'. To add it, write "
    "+workload.params.x=…",
    "timing.mode.x=3": "there is no key 'timing.mode.x': timing.mode is one value, not a mapping",
    "+workload.batch=3": "workload.batch is there already: write workload.batch=3 without the +",
    "workload.seq_len=abc": "workload.seq_len=abc must be a whole number, or null",
    "workload.batch=2.5": "workload.batch=2.5 must be a whole number",
    "workload.causal=maybe": "workload.causal=maybe must be true or false",
    "timing.budget_s=long": "timing.budget_s=long must be a number",
    "timing={launches: x}": "can't apply timing={launches: x}: Value 'x' of type 'str'",
    "workload.batch=0": "batch must be a whole number of at least 1, not 0 (in workload.batch=0",
    "workload.seq_len=-5": "seq_q must be a whole number of at least 1, not -5",
    "workload.heads_q=7": "heads_q=7 is not a multiple of heads_kv=8",
    "dtype=fp31": "dtype='fp31' is not one of fp64,",
    "direction=up": "direction='up' is not one of forward,",
    "timing.launches=0": "timing.launches must be at least 1, not 0",
    "timing.mode=lukewarm": "timing.mode='lukewarm' is not one of cold, hot",
    "workload.operator=mlaa": "unknown operator 'mlaa'",
    "cluster.dispatcher=slurm": "cluster.dispatcher='slurm' is not ray, inline or none",
    "kernel=eager,flex": "kernel=eager,flex names several values: add -m to run every one",
    "workload.seq_len=range(1,9)": "workload.seq_len=range(1,9) names several values: add -m",
    "kernel=[eager,flex]": "kernel takes one option, not a list: to run every one of them, "
    "write -m kernel=eager,flex",
    "kernel eager": "can't read the override 'kernel eager': it has no '='",
    "=3": "can't read the override '=3': it names no key",
    "a=b=c": "can't read the override 'a=b=c': mismatched input",
    "hydra.verbose=true": "hydra.* settings have no effect here",
    "kernel.name=other": "the name must be that of the yaml, 'sdpa_flash'",
    "~kernel": "no kernel is chosen: write kernel=…",
    "~nothing": "there is no group or key 'nothing'",
    "store=postgres": "store.url needs the environment variable ATTNBENCH_STORE",
    "workload.batch=${nowhere}": "can't resolve workload",
}
SWEPT = {
    "kernel=glob(no_such_*)": "kernel=glob(no_such_*) matches nothing. There are: cuda_",
    "workload.seq_len=range(5,5)": "workload.seq_len=range(5,5) has no values",
    "workload.seq_len=interval(0,1)": "an interval has no countable values",
    "workload.seq_len=128,x": "workload.seq_len=x must be a whole number, or null",
    "kernel=eager,eagr": "there is no kernel 'eagr'. Did you mean eager",
    "store.url=a,b": "store can't be swept: one sweep has one store",
    "timing.budget_s=1,2": "one job can't be measured in two ways in one sweep "
    "(timing.budget_s: 1.0 and 2.0",
    "workload.seq_len=range(1,9,0)": "can't enumerate workload.seq_len=range(1,9,0)",
    "workload.heads_q=8,7": "heads_q=7 is not a multiple of heads_kv=8",
}


def refusal(command: list[str], *, multirun: bool = False) -> str:
    with pytest.raises(ConfigError) as caught:
        build_plan(command, multirun=multirun)
    text = str(caught.value)
    assert len(text.splitlines()) <= 2
    assert "Traceback" not in text
    return text


@pytest.fixture(autouse=True)
def _no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ATTNBENCH_STORE", raising=False)


@pytest.mark.parametrize("override", SINGLE)
def test_one_value(override: str) -> None:
    assert SINGLE[override] in refusal([override, *(["gpu=cpu"] if "gpu=" not in override else [])])


@pytest.mark.parametrize("override", SWEPT)
def test_several_values(override: str) -> None:
    assert SWEPT[override] in refusal([override], multirun=True)


def test_a_length_that_the_workload_fixes_can_not_be_swept() -> None:
    command = ["workload=cross_attention", "workload.seq_len=128,256"]
    assert "sweep workload.seq_q or workload.seq_k instead" in refusal(command, multirun=True)
