"""Matrix: every cell of a product of axes, composed once per axis option and merged.

A cell is addressed by its combination: one index per axis. Its *sections* (the top-level keys of
its config: kernel, workload, gpu …) depend on a few axes each, so that 100,000 cells share some
thousands of sections, which are made once and never changed. Where the axes interact
(harness.config.independence), and where a section reads another by interpolation, Hydra composes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hydra.core.override_parser.types import Override

from harness.config import independence, reading
from harness.config.axes import Axis
from harness.config.explain import child
from harness.config.loader import Composed, Composer
from harness.config.patch import Patch, copied, read, resolved, values_of, write
from harness.errors import ConfigError

Combo = tuple[int, ...]
"""The index of the value taken on each axis."""
ABSENT = object()
"""A section that a cell doesn't have."""
_KEPT = 64
"""Whole compositions kept: cells come in order, so neighbours share one."""


class Matrix:
    """The product of the axes among ``entries``; the other entries hold in every cell."""

    def __init__(self, composer: Composer, entries: Sequence[Override | Axis]) -> None:
        """``entries`` in the order in which Hydra would be given them. Raises ConfigError."""
        self.composer = composer
        self.entries = tuple(entries)
        self.axes = tuple(e for e in entries if isinstance(e, Axis))
        self._all = tuple(range(len(self.axes)))
        self._first: Combo = (0,) * len(self.axes)
        self._made: dict[str, dict[Combo, Any]] = {}
        self._whole: dict[Combo, Composed] = {}
        self._patches: tuple[Patch, ...] = ()
        self._plain: dict[str, Any] = {}
        self._depends: dict[str, tuple[int, ...]] = {}
        self._reading: set[str] = set()
        self.why_real = independence.entangled(composer, self.axes, self.entries)
        """Why every cell is composed by Hydra as a whole; "" where axes are merged."""
        if not self.why_real:
            self._compose_options()
        if self.why_real:
            self.base = self.composed(self._first)

    def __len__(self) -> int:
        size = 1
        for axis in self.axes:
            size *= len(axis)
        return size

    def combos(self) -> Iterator[Combo]:
        """Every cell; the last axis varies fastest, as in Hydra's sweeper."""
        return itertools.product(*(range(len(axis)) for axis in self.axes))

    def overrides(self, combo: Combo) -> list[str]:
        """What ``hydra.compose`` would be given for this cell."""
        return [o.input_line or "" for o in self._given(combo)]

    def chosen(self, group: str) -> Callable[[Combo], str]:
        """The name of the option chosen in a group, as a function of the cell."""
        if self.why_real:
            return lambda combo: self.composed(combo).choices.get(group) or ""
        for index, axis in enumerate(self.axes):
            if axis.is_group and axis.key == group:
                names = [str(option) for option in axis.options]
                return lambda combo, i=index, names=names: names[combo[i]]  # type: ignore[misc]
        name = self.base.choices.get(group) or ""
        return lambda combo: name

    def names(self, combo: Combo) -> list[str]:
        """The top-level keys of a cell."""
        if self.why_real:
            return [str(key) for key in self.composed(combo).cfg]
        return list(self._depends)

    def depends(self, name: str) -> tuple[int, ...]:
        """The axes that a section depends on: cells that agree in them share it."""
        return self._all if self.why_real else self._depends.get(name, ())

    def versions(self, name: str) -> list[Combo]:
        """One cell for each version of a section."""
        axes = set(self.depends(name))
        out: list[Combo] = [()]
        for index, axis in enumerate(self.axes):
            out = [(*head, v) for head in out for v in range(len(axis) if index in axes else 1)]
        return out

    def section(self, name: str, combo: Combo) -> Any:
        """One top-level value of a cell, resolved. Shared: don't change it. ABSENT if not there."""
        axes = self.depends(name)
        made = self._made.setdefault(name, {})
        key = tuple([combo[i] for i in axes])
        if key not in made:
            if self.why_real or name in self._reading:
                made[key] = self._resolved(name, combo, axes)
            else:
                made[key] = self._merged(name, combo)
        return made[key]

    def config(self, combo: Combo) -> dict[str, Any]:
        """The whole cell as plain values."""
        return {name: copied(self.section(name, combo)) for name in self.names(combo)}

    # -- composing -----------------------------------------------------------------------------

    def _given(self, combo: Combo, *, values: bool = True) -> list[Override]:
        given, axis = [], 0
        for entry in self.entries:
            if not isinstance(entry, Axis):
                given.append(entry)
                continue
            if values or entry.is_group:
                given.append(entry.overrides[combo[axis]])
            axis += 1
        return given

    def _compose_options(self) -> None:
        """Compose the first cell without its value axes (the base), then each other option."""
        self.base = self.composer.compose(self._given(self._first, values=False))
        stems: dict[int, list[Composed]] = {}
        for index, axis in enumerate(self.axes):
            if not axis.is_group:
                continue
            stems[index] = [self.base]
            for value in range(1, len(axis)):
                combo = (*self._first[:index], value, *self._first[index + 1 :])
                stems[index].append(self.composer.compose(self._given(combo, values=False)))
        for stem in [self.base, *(stem for row in stems.values() for stem in row[1:])]:
            self.why_real = independence.composed_plainly(
                self.composer, stem, self.axes
            ) or independence.through_reference(stem, self.entries)
            if self.why_real:
                return
        self._patches = tuple(self._patch(i, axis, stems) for i, axis in enumerate(self.axes))
        self._plain = {str(key): read(self.base.cfg, (str(key),)) for key in self.base.cfg}
        self._find_dependencies()

    def _patch(self, index: int, axis: Axis, stems: dict[int, list[Composed]]) -> Patch:
        where = independence.path(axis)
        if axis.is_group:
            return Patch(where, None, (tuple(read(s.cfg, where) for s in stems[index]),))
        for owner, row in stems.items():
            package = independence.path(self.axes[owner])
            if where[: len(package)] == package:
                return Patch(where, owner, tuple(values_of(s.cfg, axis, where) for s in row))
        return Patch(where, None, (values_of(self.base.cfg, axis, where),))

    def _find_dependencies(self) -> None:
        direct: dict[str, set[int]] = {name: set() for name in self._plain}
        reads = {name: reading.reads(value) for name, value in self._plain.items()}
        for index, patch in enumerate(self._patches):
            name = patch.where[0]
            direct.setdefault(name, set()).add(index)
            if patch.owner is not None:
                direct[name].add(patch.owner)
            for row in patch.values:
                for value in row:
                    reads[name] = reading.joined(reads.get(name, set()), reading.reads(value))
        for name, axes in direct.items():
            if reads.get(name) != set():
                self._reading.add(name)
            sources = reading.closure(name, reads)
            if sources is None:
                self._depends[name] = self._all
            else:
                merged = axes.union(*(direct.get(source, set()) for source in sources))
                self._depends[name] = tuple(sorted(merged))

    # -- cells ---------------------------------------------------------------------------------

    def _merged(self, name: str, combo: Combo) -> Any:
        root = {name: copied(self._plain[name])} if name in self._plain else {}
        for groups in (True, False):  # as Hydra does: options first, then values
            for index, patch in enumerate(self._patches):
                if patch.where[0] == name and self.axes[index].is_group is groups:
                    row = 0 if patch.owner is None else combo[patch.owner]
                    write(root, patch.where, copied(patch.values[row][combo[index]]))
        return root.get(name, ABSENT)

    def _resolved(self, name: str, combo: Combo, axes: tuple[int, ...]) -> Any:
        wanted = set(axes)
        cell = tuple([value if i in wanted else 0 for i, value in enumerate(combo)])
        cfg = self.composed(cell).cfg
        try:
            return resolved(cfg, name) if child(cfg, name) is not None else ABSENT
        except ConfigError as error:
            raise ConfigError(f"{error} (in {' '.join(self.overrides(cell))})") from None

    def composed(self, combo: Combo) -> Composed:
        """A cell as Hydra composes it: typed, unresolved."""
        if combo not in self._whole:
            if len(self._whole) >= _KEPT:
                self._whole.clear()
            self._whole[combo] = self.composer.compose(self._given(combo))
        return self._whole[combo]
