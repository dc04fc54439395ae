"""The schema mirrors the nouns: a field added to one and not the other is found here."""

from __future__ import annotations

from dataclasses import fields

import pytest

from harness.config import nouns, schema
from harness.model import Gpu, Kernel, Limits, Timing
from harness.plan import ClusterSettings, StoreSettings


def names(noun: type) -> set[str]:
    return {f.name for f in fields(noun)}


@pytest.mark.parametrize(
    ("conf", "noun", "only_in_conf", "only_in_noun"),
    [
        (schema.KernelConf, Kernel, set(), {"folder"}),
        (schema.LimitsConf, Limits, set(), set()),
        (schema.GpuConf, Gpu, set(), set()),
        (schema.TimingConf, Timing, {"description"}, set()),
        (schema.StoreConf, StoreSettings, set(), set()),
        (schema.ClusterConf, ClusterSettings, set(), set()),
    ],
)
def test_fields_are_the_nouns(
    conf: type, noun: type, only_in_conf: set[str], only_in_noun: set[str]
) -> None:
    assert names(conf) - names(noun) == only_in_conf
    assert names(noun) - names(conf) == only_in_noun


@pytest.mark.parametrize(
    ("conf", "noun"), [(schema.TimingConf, Timing), (schema.LimitsConf, Limits)]
)
def test_defaults_are_the_nouns(conf: type, noun: type) -> None:
    required = {"dtypes": ["fp32"]} if conf is schema.LimitsConf else {}
    ours, theirs = conf(**required), noun(**{k: tuple(v) for k, v in required.items()})
    for name in names(conf) & names(noun):
        value = getattr(ours, name)
        assert (tuple(value) if isinstance(value, list) else value) == getattr(theirs, name), name


def test_a_workloads_keys_are_the_schemas() -> None:
    assert names(schema.WorkloadConf) == nouns._WORKLOAD_KEYS
