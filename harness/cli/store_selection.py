"""The options that choose results: in one place, for every command that takes them.

    @store_app.command(name="exclude")
    @guarded
    @selecting
    def exclude(which: Chosen, reason: Reason, store: StoreUrl = None) -> int: ...

gives ``exclude`` an option a field of ``harness.store.selection.Selection`` and hands them to it as
one ``Chosen``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from harness.store import Store
    from harness.store.selection import Selection

OPTIONS: dict[str, Any] = {
    "sweep": Annotated[str | None, typer.Option("--sweep", help="Sweep id, or `last`.")],
    "job": Annotated[str | None, typer.Option("--job", help="Job key, or its beginning.")],
    "series": Annotated[str | None, typer.Option("--series", help="Series key, or its beginning.")],
    "kernel": Annotated[str | None, typer.Option("--kernel", help="Kernel name or glob.")],
    "gpu": Annotated[str | None, typer.Option("--gpu", help="GPU name asked for.")],
    "device": Annotated[str | None, typer.Option("--device", help="Device model or glob.")],
    "launch": Annotated[int | None, typer.Option("--launch", help="Round of the sweep, from 0.")],
}
"""By field of Selection; a test holds that none is missing."""


@dataclass(frozen=True)
class Chosen:
    """What was given on the command line, before a store says what it names."""

    given: dict[str, str | int | None]
    """By field of Selection; None where it wasn't given."""

    def of(self, store: Store) -> Selection:
        """The selection in ``store``. Raises StoreError where `last` names no sweep."""
        from harness.store.selection import Selection

        given = dict(self.given)
        if isinstance(given["sweep"], str):
            given["sweep"] = sweep_named(store, given["sweep"])
        return Selection(**given)  # type: ignore[arg-type]


def sweep_named(store: Store, name: str) -> str:
    """A sweep's id; ``last`` is the newest. Raises StoreError where there is none yet."""
    from harness.errors import StoreError

    if name != "last":
        return name
    sweeps = store.sweeps()
    if not sweeps:
        raise StoreError(f"{store.safe_url} has no sweep yet: attnbench run …")
    return max(sweep.id for sweep in sweeps)


def selecting(body: Callable[..., int]) -> Callable[..., int]:
    """Put OPTIONS in the place of ``body``'s parameter ``which``."""
    kept = [
        parameter
        for name, parameter in inspect.signature(body, eval_str=True).parameters.items()
        if name != "which"
    ]
    kept = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in kept]
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in OPTIONS.items()
    ]

    @functools.wraps(body)
    def command(**given: Any) -> int:
        which = Chosen({name: given.pop(name) for name in OPTIONS})
        return body(which=which, **given)

    # What Typer reads; wraps() would have it look at `body` instead.
    facts: Any = command
    facts.__signature__ = inspect.Signature([*options, *kept], return_annotation=int)
    facts.__annotations__ = {p.name: p.annotation for p in (*options, *kept)} | {"return": int}
    del facts.__wrapped__
    return command
