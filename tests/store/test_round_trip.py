"""A record read back is the record that was written."""

from __future__ import annotations

import itertools
import math
import struct
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import StoreError
from harness.model import Accuracy, Device, Kernel, Memory, Problem, Record, Status
from harness.model.identity import canonical_json, digest
from harness.store import Store
from harness.store.schema import problem as problem_table
from tests.store.make import KERNEL, SWEEP, failure, problem, record

HOSTILE = [
    'it\'s "quoted"; DROP TABLE result; --',
    "<script>alert('x')</script>&amp;",
    "\u202eright to left\u202c עברית العربية",
    "%s %(x)s {0} :name ?1 \\ \n\t\r",
    "🙂" * 400,
    " ",
]
LONG = "long " * 600_000

EXAMPLE = itertools.count()

text = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)
number = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.one_of(st.integers(-(2**62), 2**62), number, text, st.booleans())
params = st.dictionaries(text, scalars, max_size=4).map(lambda d: tuple(sorted(d.items())))
count = st.integers(0, 2**62)


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    heads = draw(st.integers(1, 64))
    return Problem(
        heads_q=heads * draw(st.integers(1, 8)),
        heads_kv=heads,
        seq_q=draw(st.integers(1, 2**40)),
        seq_k=draw(st.integers(1, 2**40)),
        head_dim_qk=draw(st.integers(1, 512)),
        head_dim_v=draw(st.integers(1, 512)),
        dtype=draw(st.sampled_from(["bf16", "fp32", "fp8_e4m3"])),
        kv_dtype=draw(st.sampled_from(["", "int8"])),
        causal=draw(st.booleans()),
        window_left=draw(st.none() | count),
        pattern=draw(text),
        scale=draw(st.none() | st.floats(1e-300, 1e300)),
        softcap=draw(st.floats(0, 1e6)),
        sinks=draw(st.booleans()),
        direction=draw(st.sampled_from(["forward", "backward"])),
        cache=draw(text),
        page_size=draw(count),
        lengths=draw(text),
        lengths_seed=draw(count),
        params=draw(params),
    )


@st.composite
def records(draw: st.DrawFn) -> Record:
    changes: dict[str, Any] = {
        "problem": draw(problems()),
        "kernel": replace(KERNEL, options=draw(params), packages=tuple(draw(st.lists(text)))),
        "gpu": draw(text),
        "launch": draw(count),
        "workload": draw(text),
        "log": draw(text),
        "flags": tuple(draw(st.lists(text, max_size=3))),
        "conditions": draw(
            st.dictionaries(text, st.one_of(number, text), max_size=3).map(
                lambda d: tuple(sorted(d.items()))
            )
        ),
        "flops": draw(st.none() | count),
        "setup_ms": draw(st.none() | number),
        "memory": draw(st.none() | st.builds(Memory, st.none() | count, text)),
        "device": draw(st.none() | st.builds(Device, text, text, text, text, st.none() | count)),
        "started_at": draw(text),
        "duration_s": draw(number),
    }
    if draw(st.booleans()):
        positive = st.floats(min_value=5e-324, max_value=1e300)
        samples = draw(st.lists(positive, min_size=1, max_size=12))
        return record(samples_ms=tuple(samples), **changes)
    changes["accuracy"] = draw(st.none() | st.builds(Accuracy, number, number, number))
    status = draw(st.sampled_from([s for s in Status if s is not Status.OK]))
    return failure(status=status, reason=draw(text.filter(bool)), **changes)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(records())
def test_every_record_comes_back_equal(store: Store, drawn: Record) -> None:
    sweep = f"example {next(EXAMPLE)}"  # so that no two examples claim one identity
    store.start_sweep(replace(SWEEP, id=sweep))
    written = replace(drawn, sweep_id=sweep)
    assert store.append(written)
    read = store.record(sweep, written.job_key, written.launch)
    assert read is not None
    assert read.to_dict() == written.to_dict()
    assert read.job_key == written.job_key
    assert read.series_key == written.series_key
    assert _bits(read) == _bits(written)


def _bits(one: Record) -> bytes:
    return struct.pack(f"{len(one.samples_ms)}d", *one.samples_ms)


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda t: repr(t[:12]))
def test_hostile_text_comes_back_unchanged_wherever_text_is_accepted(
    store: Store, hostile: str
) -> None:
    written = record(
        kernel=Kernel(hostile, hostile, hostile, (("option", hostile),), folder=hostile),
        problem=problem(pattern=hostile, params=((hostile, hostile),)),
        gpu=hostile,
        device=Device(hostile, "cuda", hostile, hostile),
        workload=hostile,
        experiment=hostile,
        log=hostile,
        flags=(hostile,),
        conditions=((hostile, hostile),),
    )
    assert store.append(written)
    (read,) = store.records()
    assert read.to_dict() == written.to_dict()


def test_megabytes_of_text_come_back_unchanged_where_nothing_is_looked_up_by_it(
    store: Store,
) -> None:
    written = failure(
        problem=problem(pattern=LONG, params=((LONG, LONG),)),
        workload=LONG,
        log=LONG,
        reason=LONG,
        flags=(LONG,),
    )
    assert store.append(written)
    (read,) = store.records()
    assert read.to_dict() == written.to_dict()


@pytest.mark.parametrize(
    "changes",
    [
        {"kernel": replace(KERNEL, name=LONG)},
        {"gpu": LONG},
        {"device": Device(LONG, "cuda", "u", "h")},
        {"device": Device("m", "cuda", LONG, "h")},
    ],
    ids=["kernel", "gpu", "model", "uuid"],
)
def test_a_name_that_is_too_long_for_an_index_is_refused_on_every_engine(
    store: Store, changes: dict[str, Any]
) -> None:
    with pytest.raises(StoreError, match="3,000,000 bytes long, 2,000 at most") as caught:
        store.append(record(**changes))
    assert len(str(caught.value)) < 200
    with pytest.raises(StoreError, match="2,000 at most"):
        store.start_sweep(replace(SWEEP, id=LONG))
    assert list(store.records()) == []


def test_a_sweep_comes_back_equal_hostile_names_and_all(store: Store) -> None:
    swept = replace(SWEEP, id="z", name=HOSTILE[0], command=HOSTILE[2], overrides=(HOSTILE[1], ""))
    store.start_sweep(swept)
    assert store.sweep("z").to_dict() == swept.to_dict() | {"state": "running", "finished_at": ""}


@pytest.mark.parametrize(
    "bad",
    [
        {"workload": "a\0b"},
        {"gpu": "\ud800"},
        {"kernel": replace(KERNEL, name="\0")},
        {"flops": 2**63},
        {"setup_ms": float("inf")},
        {"accuracy": Accuracy(float("nan"), 0.0, 0.0)},
        {"conditions": (("clock", float("nan")),)},
        {"problem": problem(seq_q=2**70)},
        {"problem": problem(params=(("x", float("nan")),))},
    ],
    ids=str,
)
def test_what_no_engine_keeps_exactly_is_refused_and_leaves_nothing(
    store: Store, bad: dict[str, Any]
) -> None:
    with pytest.raises(StoreError):
        store.append_many([record(1024), record(**bad)])
    assert list(store.records()) == []
    assert store.append(record(1024)), "the store can still be written"


def test_each_field_of_a_problem_is_a_column() -> None:
    assert {c.name for c in problem_table.c} == {"id", "key", *Problem.__dataclass_fields__}


def test_whole_numbers_in_real_fields_are_the_same_record(store: Store) -> None:
    assert store.append(record(duration_s=2, setup_ms=3))
    assert not store.append(record(duration_s=2.0, setup_ms=3.0))
    (read,) = store.records()
    assert not store.append(read), "what was read back is what is stored"


@pytest.mark.parametrize(
    "one",
    [
        record(),
        failure(),
        record(samples_ms=(1, 2.5e-300, 3.0), setup_ms=5, launch=7),
        record(stop_reason='é\u202e"\\\n', flags=(), conditions=(), memory=None),
    ],
)
def test_the_text_put_together_from_parts_is_the_canonical_one(one: Record) -> None:
    assert one.text() == canonical_json(one.to_dict())
    assert one.content_key == digest(one.to_dict())


def test_a_record_that_json_cant_say_has_no_text() -> None:
    for bad in ((math.inf,), (1.0, math.inf)):
        with pytest.raises(ValueError, match="JSON"):
            record(samples_ms=bad).text()
