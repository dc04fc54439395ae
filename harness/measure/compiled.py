"""What was compiled for a job: found in a cache or not, and what autotuning chose.

torch.compile counts its caches' hits and misses; Triton tells a listener of each kernel that it
compiles or loads (3.4 and later); harness.measure.nvcc keeps a list. The configs are those of
Triton's autotuner. Nothing here imports torch's compiler or Triton: where a kernel hasn't, there is
nothing to say.

Sources: torch/_inductor/codecache.py and torch/_functorch/_aot_autograd/autograd_cache.py (names of
the counters), triton/knobs.py (CompilationListener), triton/runtime/autotuner.py.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from harness.measure import nvcc
from harness.measure.loader import KERNEL_MODULES

COLD = "cold"
"""Something was compiled for this job."""
WARM = "warm"
"""Everything came out of a cache on disk."""
HITS = (("inductor", "fxgraph_cache_hit"), ("aot_autograd", "autograd_cache_hit"))
MISSES = (
    ("inductor", "fxgraph_cache_miss"),
    ("inductor", "fxgraph_cache_bypass"),
)


class CompileWatch:
    """Watches while it is entered; ``listen`` again once a kernel may have imported Triton."""

    def __init__(self) -> None:
        self._before = _counters()
        self._triton: list[bool] = []
        self._nvcc_before = len(nvcc.found_kept)
        self._knobs: Any = None
        self._previous: Any = None

    def __enter__(self) -> CompileWatch:
        self._forget_choices()
        self.listen()
        return self

    def __exit__(self, *raised: object) -> None:
        if self._knobs is not None:
            self._knobs.compilation.listener = self._previous
            self._knobs = None

    def listen(self) -> None:
        """Have Triton tell of its compilations, if it is there by now."""
        knobs = sys.modules.get("triton.knobs")
        if self._knobs is None and hasattr(getattr(knobs, "compilation", None), "listener"):
            self._knobs = knobs
            self._previous = knobs.compilation.listener  # type: ignore[union-attr]
            knobs.compilation.listener = self._heard  # type: ignore[union-attr]

    def _heard(self, *arguments: Any, cache_hit: bool = False, **more: Any) -> None:
        self._triton.append(bool(cache_hit))
        if self._previous is not None:
            self._previous(*arguments, cache_hit=cache_hit, **more)

    def found(self) -> dict[str, float | str]:
        """``compile_cache`` (cold or warm) and ``autotune`` for the record, where there are any."""
        now = _counters()
        hit, missed = (
            sum(now.get(name, 0) - self._before.get(name, 0) for name in names)
            for names in (HITS, MISSES)
        )
        found: dict[str, float | str] = {}
        loaded = self._triton + nvcc.found_kept[self._nvcc_before :]
        if missed or not all(loaded):
            found["compile_cache"] = COLD
        elif hit or loaded:
            found["compile_cache"] = WARM
        chosen = sorted({f"{name}: {config}" for name, config in _choices()})
        if chosen:
            found["autotune"] = "; ".join(chosen)
        return found

    @staticmethod
    def _forget_choices() -> None:
        """So that what is there at the end was chosen, or looked up again, in this job."""
        for tuner in _autotuners():
            vars(tuner).pop("best_config", None)


def _counters() -> dict[tuple[str, str], int]:
    """torch.compile's counters, {} where nothing has been compiled in this process."""
    utils = sys.modules.get("torch._dynamo.utils")
    counters = getattr(utils, "counters", {})
    return (
        {(group, name): counters[group][name] for group, name in (*HITS, *MISSES)}
        if counters
        else {}
    )


_scanned: dict[str, tuple[Any, ...]] = {}
"""The autotuners that stand in a module, by its name. There are thousands of modules, and looking
into each would cost every job milliseconds; only kernels' files are loaded anew under their name.
"""


def _autotuners() -> Iterator[Any]:
    """Triton's autotuners that stand in a module."""
    kind = getattr(sys.modules.get("triton.runtime.autotuner"), "Autotuner", None)
    if kind is None:
        return
    afresh = {name for name in _scanned if name.startswith(KERNEL_MODULES)}
    for name in (sys.modules.keys() - _scanned.keys()) | afresh:
        values = list(_names(sys.modules.get(name)).values())
        _scanned[name] = tuple(tuner for value in values for tuner in _within(value, kind))
    yield from {id(tuner): tuner for tuners in _scanned.values() for tuner in tuners}.values()


def _names(module: Any) -> dict[str, Any]:
    """A module's namespace, without waking one that loads lazily; {} for what isn't a module."""
    try:
        return object.__getattribute__(module, "__dict__")  # type: ignore[no-any-return]
    except AttributeError:
        return {}


def _within(value: Any, kind: type[Any]) -> Iterator[Any]:
    """The autotuner that a value is or wraps: a heuristic or another decorator may be around it."""
    while value is not None:
        if issubclass(type(value), kind):  # isinstance would wake modules that load lazily
            yield value
        where = type(value).__module__  # not a text for some classes written in C
        inside = isinstance(where, str) and where.startswith("triton.")
        value = getattr(value, "__dict__", {}).get("fn") if inside else None


def _choices() -> Iterator[tuple[str, str]]:
    """Of each autotuner that has run: its kernel's name, and the config that it took."""
    for tuner in _autotuners():
        config = vars(tuner).get("best_config")
        if config is not None:
            function = getattr(tuner, "base_fn", None) or getattr(tuner, "fn", None)
            yield getattr(function, "__name__", "kernel"), str(config)
