"""From a composed section, or a yaml of the same keys, to the noun that it describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from harness.errors import ConfigError, InvalidProblem, did_you_mean
from harness.model import Gpu, Kernel, Limits, Problem, Timing, params_of

_DESCRIPTION = frozenset({"description"})
_WORKLOAD_KEYS = frozenset(
    {
        "name",
        "description",
        "source",
        "operator",
        "batch",
        "heads_q",
        "heads_kv",
        "seq_len",
        "seq_q",
        "seq_k",
        "head_dim",
        "head_dim_v",
        "causal",
        "window_left",
        "window_right",
        "pattern",
        "softcap",
        "sinks",
        "alibi",
        "scale",
        "kv_dtype",
        "cache",
        "page_size",
        "lengths",
        "lengths_seed",
        "params",
    }
)
_AS_THEY_ARE = (
    "operator",
    "batch",
    "causal",
    "window_left",
    "window_right",
    "pattern",
    "sinks",
    "kv_dtype",
    "cache",
    "page_size",
    "lengths",
    "lengths_seed",
)


def kernel_of(conf: Mapping[str, Any], folder: str = "") -> Kernel:
    """The kernel a yaml of conf/kernel describes. Raises ConfigError."""
    name = str(conf.get("name", "???"))
    _check(conf, {f.name for f in fields(Kernel)} - {"folder"}, f"kernel {name}")
    try:
        limits = {
            kind: limits_of(given or {}, f"kernel {name}: limits.{kind}")
            for kind, given in (conf.get("limits") or {}).items()
        }
        return Kernel(
            name=name,
            operator=str(conf.get("operator", "attention")),
            file=str(conf["file"]),
            options=_params(conf.get("options"), f"kernel {name}: options"),
            limits=tuple(sorted(limits.items())),
            packages=tuple(conf.get("packages") or ()),
            programs=tuple(conf.get("programs") or ()),
            library=str(conf.get("library") or ""),
            extra=str(conf.get("extra") or ""),
            folder=folder,
            description=str(conf.get("description") or ""),
            quantised=bool(conf.get("quantised", False)),
        )
    except KeyError as missing:
        raise ConfigError(f"kernel {name}: its yaml has no {missing}") from None


def limits_of(conf: Mapping[str, Any], where: str) -> Limits:
    """The limits on one kind of device. Raises ConfigError."""
    _check(conf, {f.name for f in fields(Limits)}, where)
    if "dtypes" not in conf:
        raise ConfigError(f"{where}: dtypes is missing")
    given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in conf.items()}
    return Limits(**given)


def gpu_of(conf: Mapping[str, Any]) -> Gpu:
    """The hardware a yaml of conf/gpu describes. Raises ConfigError."""
    name = conf.get("name", "???")
    _check(conf, {f.name for f in fields(Gpu)} | _DESCRIPTION, f"gpu {name}")
    bounds = conf.get("memory_gib_range")
    if bounds is not None and len(bounds) != 2:
        raise ConfigError(f"gpu {name}: memory_gib_range must be [low, high], not {bounds}")
    return Gpu.from_dict({k: v for k, v in conf.items() if k not in _DESCRIPTION})


def timing_of(conf: Mapping[str, Any]) -> Timing:
    """The protocol a yaml of conf/timing describes. Raises ConfigError."""
    known = {f.name for f in fields(Timing)}
    _check(conf, known | _DESCRIPTION, "timing")
    try:
        timing = Timing(**{k: v for k, v in conf.items() if k in known})
    except InvalidProblem as error:
        raise ConfigError(str(error)) from None
    if (why := timing.contradiction()) is not None:
        raise ConfigError(why)
    return timing


def problem_of(workload: Mapping[str, Any], dtype: str, direction: str) -> Problem:
    """The problem of one cell. Raises InvalidProblem where it makes no sense."""
    name = workload.get("name", "???")
    _check(workload, _WORKLOAD_KEYS, f"workload {name}")
    get = workload.get
    heads_kv, head_dim_v = get("heads_kv"), get("head_dim_v")
    params = dict(get("params") or {})
    if get("alibi"):  # a plain axis for the user, a parameter of the operator for the noun
        params["alibi"] = True
    more = {key: workload[key] for key in _AS_THEY_ARE if key in workload}
    return Problem(
        heads_q=workload["heads_q"],
        heads_kv=workload["heads_q"] if heads_kv is None else heads_kv,
        seq_q=_length(workload, "seq_q"),
        seq_k=_length(workload, "seq_k"),
        head_dim_qk=workload["head_dim"],
        head_dim_v=workload["head_dim"] if head_dim_v is None else head_dim_v,
        dtype=dtype,
        direction=direction,
        softcap=float(get("softcap") or 0.0),
        scale=get("scale"),
        params=_params(params, f"workload {name}: params"),
        **more,
    )


def _length(workload: Mapping[str, Any], key: str) -> int:
    value: int | None = workload.get(key)
    if value is None:
        value = workload.get("seq_len")
    if value is None:
        raise ConfigError(
            f"workload {workload.get('name')}: {key} isn't known; "
            f"set workload.seq_len, or workload.{key}"
        )
    return value


def _params(given: Mapping[str, Any] | None, where: str) -> Any:
    for key, value in (given or {}).items():
        if not isinstance(value, (int, float, str, bool, type(None))):
            raise ConfigError(f"{where}.{key} must be one plain value, not {value!r}")
    return params_of(dict(given or {}))


def _check(conf: Mapping[str, Any], known: set[str] | frozenset[str], where: str) -> None:
    """Refuse keys that would have no effect, and keys that a yaml must set and doesn't."""
    for key, value in conf.items():
        if key not in known:
            raise ConfigError(f"{where} has no key {key!r}. {did_you_mean(str(key), known)}")
        if isinstance(value, str) and value == "???":
            raise ConfigError(f"{where}: {key} isn't set")
