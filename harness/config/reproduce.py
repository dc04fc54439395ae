"""The command that measures one result again, from what its record says."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from harness.model import Kernel, Problem, Timing

BASE_WORKLOAD = "mha"
"""What a problem without a workload label starts from; every size is given anyway."""

_SIZES = {
    "batch": "batch",
    "heads_q": "heads_q",
    "heads_kv": "heads_kv",
    "seq_q": "seq_q",
    "seq_k": "seq_k",
    "head_dim_qk": "head_dim",
    "head_dim_v": "head_dim_v",
}
"""Fields of a Problem, and the workload keys that set them."""
_MASK = ("causal", "window_left", "window_right", "softcap", "sinks", "alibi", "scale")
_WHERE_SET = ("operator", "pattern", "kv_dtype", "cache", "page_size", "lengths", "lengths_seed")


def command_of(
    kernel: Kernel,
    problem: Problem,
    gpu: str,
    timing: Timing,
    workload: str,
    known: Mapping[str, Any],
) -> str:
    """``attnbench run …`` for one cell; ``known`` are the workloads of the catalog.

    Sizes and mask are spelt out, so that a later change of a workload's yaml changes nothing.
    Kernels of a folder of the user's own come with ``--kernels``.
    """
    words = ["attnbench", "run"]
    if kernel.folder:
        words += ["--kernels", kernel.folder]
    words += [f"kernel={kernel.name}"]
    words += [f"++kernel.options.{name}={_plain(value)}" for name, value in kernel.options]
    words += [f"workload={workload if workload in known else BASE_WORKLOAD}"]
    words += [f"workload.{key}={_plain(getattr(problem, name))}" for name, key in _SIZES.items()]
    words += [f"workload.{name}={_plain(getattr(problem, name))}" for name in _MASK]
    unset = {f.name: f.default for f in fields(Problem)}
    for name in _WHERE_SET:
        value = getattr(problem, name)
        if value != unset[name]:
            words.append(f"workload.{name}={_plain(value)}")
    params = {name: value for name, value in problem.params if name != "alibi"}  # among _MASK
    words += [f"++workload.params.{name}={_plain(value)}" for name, value in params.items()]
    words += [f"dtype={problem.dtype}", f"direction={problem.direction}", f"gpu={gpu}"]
    for f in fields(Timing):
        value = getattr(timing, f.name)
        if value != f.default:
            words.append(f"timing.{f.name}={_plain(value)}")
    return shlex.join(words)


def _plain(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'" if isinstance(value, str) and not value.isidentifier() else str(value)
