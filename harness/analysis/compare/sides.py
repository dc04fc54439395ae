"""Sides: what A and B mean, as conditions that the database applies.

Without ``--by`` each names results by where they come from, looked up in this order:

    last, last~1                  the newest sweep, the one before it
    20260102-030405-abcdef        a sweep's id, or a beginning that is its alone
    release-1.2                   a tag: of all sweeps that bear it
    nightly, nightly~2            the newest sweep of that name, the third newest
    3f2a9c1                       a commit of the kernels' repository, or of attnbench
    2026-01-31, 7d                what was known at the end of that day, or so long ago

``sweep:``, ``tag:``, ``commit:`` and ``date:`` before it say which is meant. Of each series, a side
takes the newest sweep that it covers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, func, or_, select

from harness.analysis.compare.axes import LEAST_PREFIX, choose
from harness.analysis.since import parse_since
from harness.errors import ConfigError, did_you_mean
from harness.store import schema

_R = schema.result.c
KINDS = ("sweep", "tag", "commit", "date")


@dataclass(frozen=True)
class Side:
    """One side of a comparison."""

    asked: str
    """What was given."""
    label: str
    """What it was taken to be, in words."""
    where: ColumnElement[bool]
    """The condition on its results."""


def resolve(connection: Connection, text: str, by: str | None = None) -> Side:
    """The side that ``text`` names; with ``by``, a value of that axis.

    Raises:
        ConfigError: nothing of the kind is stored (close names are suggested), or more than one.
    """
    if not text.strip():
        raise ConfigError("a side of the comparison is empty: name a sweep, tag, commit or date")
    if by is not None:
        chosen = choose(connection, by, text)
        return Side(text, f"{by} {', '.join(chosen.names)}", chosen.where)
    kind, _, rest = text.partition(":")
    if kind in KINDS and rest:
        found = _LOOKUPS[kind](connection, rest)
        if found is None:
            raise ConfigError(f"no {kind} {rest!r} in the store. {_close(connection, rest)}")
        return Side(text, *found)
    for look_up in _LOOKUPS.values():
        if (found := look_up(connection, text)) is not None:
            return Side(text, *found)
    raise ConfigError(
        f"{text!r} is no sweep, tag, commit or date of this store. {_close(connection, text)}"
    )


Found = tuple[str, ColumnElement[bool]] | None


def _sweep(connection: Connection, text: str) -> Found:
    sweep = schema.sweep.c
    order = sweep.started_at.desc(), sweep.id.desc()
    rows = connection.execute(select(sweep.id, sweep.key, sweep.name).order_by(*order)).all()
    of_id = {key: (number, name) for number, key, name in rows}
    if text in of_id:
        return _one(text, *of_id[text])
    tagged = connection.scalar(select(schema.tag.c.id).where(schema.tag.c.name == text).limit(1))
    if tagged is not None:
        return None
    back = re.fullmatch(r"(.+)~(\d+)", text)
    name, steps = (back[1], int(back[2])) if back else (text, 0)
    named = [row for row in rows if name == "last" or row[2] == name]
    if named:
        if steps >= len(named):
            sweeps = "1 sweep" if len(named) == 1 else f"{len(named)} sweeps"
            raise ConfigError(f"{text}: there {'is' if len(named) == 1 else 'are'} only {sweeps}")
        number, key, sweep_name = named[steps]
        return _one(key, number, sweep_name)
    begun = [key for key in of_id if key.startswith(text)] if len(text) >= LEAST_PREFIX else []
    if len(begun) > 1:
        shown = ", ".join(sorted(begun)[:6])
        raise ConfigError(f"{text!r} begins {len(begun)} sweeps: {shown} … give more of the id")
    return _one(begun[0], *of_id[begun[0]]) if begun else None


def _one(key: str, number: int, name: str) -> Found:
    return f"sweep {key}" + (f" ({name})" if name else ""), _R.sweep_id == number


def _tag(connection: Connection, text: str) -> Found:
    tag = schema.tag.c
    numbers = list(connection.scalars(select(tag.sweep_id).where(tag.name == text)))
    if not numbers:
        return None
    sweeps = "1 sweep" if len(numbers) == 1 else f"{len(numbers)} sweeps"
    return f"tag {text} ({sweeps})", _R.sweep_id.in_(numbers)


def _commit(connection: Connection, text: str) -> Found:
    if not re.fullmatch(rf"[0-9a-f]{{{LEAST_PREFIX},40}}", text):
        return None
    revision, environment = schema.revision.c, schema.environment.c
    for what, table, column, mine in (
        ("kernels' commit", schema.revision, revision.commit, _R.revision_id),
        ("attnbench's commit", schema.environment, environment.harness_commit, _R.environment_id),
    ):
        rows = connection.execute(select(table.c.id, column).where(column.startswith(text))).all()
        commits = {commit.removesuffix("-dirty") for _, commit in rows}
        if len(commits) > 1:
            raise ConfigError(f"{text!r} begins {len(commits)} commits: {', '.join(commits)}")
        if commits:
            return f"{what} {commits.pop()[:12]}", mine.in_([id_ for id_, _ in rows])
    return None


def _date(connection: Connection, text: str) -> Found:
    try:
        moment = parse_since(text)
    except ConfigError:
        return None
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text.strip()):  # a whole day: until its end
        moment = (datetime.fromisoformat(moment) + timedelta(days=1)).isoformat()
    sweep = schema.sweep.c
    earlier = select(sweep.id).where(sweep.started_at < moment)
    by_sweep = (_R.started_at == "") & _R.sweep_id.in_(earlier)  # it never ran: skipped, lost
    ran = (_R.started_at != "") & (_R.started_at < moment)
    if connection.scalar(select(_R.id).where(or_(ran, by_sweep)).limit(1)) is None:
        first = connection.scalar(select(func.min(sweep.started_at)))
        known = f"the first sweep is of {first[:16]}" if first else "the store has no sweep"
        raise ConfigError(f"nothing had been measured by {text}: {known}")
    return f"as of {moment[:16].replace('T', ' ')} UTC", or_(ran, by_sweep)


_LOOKUPS = {"sweep": _sweep, "tag": _tag, "commit": _commit, "date": _date}


def _close(connection: Connection, text: str) -> str:
    known = set(connection.scalars(select(schema.sweep.c.key)))
    known |= set(connection.scalars(select(schema.sweep.c.name).distinct()))
    known |= set(connection.scalars(select(schema.tag.c.name).distinct()))
    return did_you_mean(text, known - {""})


def newest(connection: Connection, side: Side) -> dict[str, str]:
    """Of each series the side covers, by key, the sweep with its newest result."""
    at = func.max(_R.started_at)
    query = (
        select(schema.series.c.key, schema.sweep.c.key, at)
        .join_from(schema.result, schema.series, _R.series_id == schema.series.c.id)
        .join(schema.sweep, _R.sweep_id == schema.sweep.c.id)
        .where(side.where, _R.id.not_in(select(schema.exclusion.c.result_id)))
        .group_by(schema.series.c.key, schema.sweep.c.key)
        .order_by(at, schema.sweep.c.key)
    )
    return {series: sweep for series, sweep, _ in connection.execute(query)}


def common_sweep(connection: Connection, sides: tuple[Side, Side]) -> str | None:
    """The newest sweep that has results of both sides; None where there is none."""
    sweep = schema.sweep.c
    query = select(sweep.key).order_by(sweep.started_at.desc(), sweep.id.desc()).limit(1)
    for side in sides:
        query = query.where(sweep.id.in_(select(_R.sweep_id).where(side.where).distinct()))
    found: str | None = connection.scalar(query)
    return found
