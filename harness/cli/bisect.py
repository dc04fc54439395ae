"""``attnbench bisect``: which commit of a kernel's repository moved a series."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.analysis.bisect import Tried, bisect, nearer
from harness.analysis.welch import change
from harness.cli.again import jobs_again
from harness.cli.common import store_url
from harness.dispatch.base import Dispatcher
from harness.dispatch.versions import (
    NoVersion,
    checked_out,
    commit_named,
    commits_between,
    folder_of,
    measure,
    repository_of,
)
from harness.errors import AttnbenchError, ConfigError
from harness.model import Job, Record, Status, new_sweep_id

if TYPE_CHECKING:
    from harness.analysis.history.moves import Move
    from harness.store import Store

NOT_ENOUGH = 3
"""Exit code: the move doesn't show here, or only a range of commits can be named."""
MORE = 3
"""How many times as many launches a commit gets at most that can't be told."""


def _latency(record: Record) -> float | None:
    return record.median_ms


def _memory(record: Record) -> float | None:
    peak = None if record.memory is None else record.memory.peak_bytes
    return None if peak is None else peak / 1e6


def _error(record: Record) -> float | None:
    return None if record.accuracy is None else record.accuracy.max_error


FIGURES: dict[str, Callable[[Record], float | None]] = {
    "latency_ms": _latency,
    "peak_memory_mb": _memory,
    "max_error": _error,
}
"""What can be bisected by."""


def bisect_command(
    series: str,
    good: str | None,
    bad: str | None,
    metric: str,
    build: str,
    launches: int,
    all_commits: bool,
    kernels: Sequence[Path],
    cluster: str,
    format: str,
    store: str | None,
) -> int:
    """Body of ``attnbench bisect``; returns the exit code."""
    from harness.analysis.metrics import metric_named
    from harness.store import open_store

    figure = metric_named(metric)
    if figure.name not in FIGURES:
        raise ConfigError(f"--metric {metric}: bisect measures {', '.join(FIGURES)}")
    if launches < 2:
        raise ConfigError(f"--launches {launches}: a comparison needs two or more")
    with open_store(store_url(store), read_only=True) as opened:
        command = _command(opened, series)
        if good is None or bad is None:
            ends = _ends(opened, series, figure.name)
            good, bad = good or ends[0], bad or ends[1]
    with jobs_again([command], kernels, cluster) as (jobs, dispatcher):
        job = jobs[0]
        root = repository_of(job.kernel)
        first, last = commit_named(root, good), commit_named(root, bad)
        inside = str(folder_of(job.kernel).relative_to(root))
        # Commits elsewhere in the repository can't have moved a kernel, unless something is built.
        paths = [] if all_commits or build else [inside]
        commits = commits_between(root, first, last, paths)
        search = _Search(job, dispatcher, launches, figure.name, build, figure.least_effect)
        _say(f"{job.kernel.name} {job.problem.summary()}: {len(commits)} commits")
        if not search.reproduced(first, last):
            _say(f"the move doesn't show here: {search.ends}. No commit to be found")
            return NOT_ENOUGH
        _say(f"{last[:12]} over {first[:12]}: {search.ends}")
        found = bisect(commits, search.attempt)
    facts = {
        "kernel": job.kernel.name,
        "problem": job.problem.summary(),
        "metric": figure.name,
        "good": first,
        "bad": last,
        "move": search.moved,
        "first_bad": found.first_bad,
        "suspects": list(found.suspects),
        "tried": [
            {"commit": commit, "found": str(what), "why": search.why[commit]}
            for commit, what in found.tried
        ],
    }
    if format == "json":
        print(json.dumps(facts, indent=1))
    elif found.first_bad is not None:
        print(f"{found.first_bad} moved it ({search.ends})")
        print(_subject(root, found.first_bad))
    else:
        print(f"one of {len(found.suspects)} commits, which can't be told apart:")
        for commit in found.suspects:
            print(f"  {_subject(root, commit)}  {search.why.get(commit, '')}".rstrip())
    return 0 if found.first_bad is not None else NOT_ENOUGH


def _in_words(ratio: float) -> str:
    """A ratio in percent, or as a factor where it is far from one."""
    return f"{(ratio - 1) * 100:+.1f} %" if 0.5 < ratio < 2 else f"×{ratio:.3g}"


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _command(store: Store, series: str) -> str:
    """What measures the series' newest good result again. Raises ConfigError."""
    from harness.analysis.query import results
    from harness.store import schema

    begins = schema.series.c.key.startswith(series, autoescape=True)
    frame = results(store, status="ok", only=(begins,), commands=True)
    keys = frame["series_key"].unique()
    if len(keys) != 1:
        some = "no good result" if not len(keys) else f"{len(keys)} series"
        raise ConfigError(
            f"series {series}: {some} begins so (attnbench history --format json has the keys)"
        )
    newest = frame.sort_values("started_at", kind="stable").iloc[-1]
    return str(newest["command"])


def _ends(store: Store, series: str, metric: str) -> tuple[str, str]:
    """The commits around the newest worsening that history knows. Raises ConfigError."""
    from harness.analysis.history.read import Filters
    from harness.analysis.history.study import study

    moves: list[Move] = [
        move
        for move in study(store, [metric], Filters(series=series)).moves
        if move.verdict == "worse"
    ]
    if not moves:
        raise ConfigError(
            f"series {series}: history knows no worsening of {metric}; name two commits by --good "
            "and --bad"
        )
    move = moves[-1]
    ends = move.track.commit(move.last_good), move.track.commit(move.first_bad)
    if not all(ends) or ends[0] == ends[1]:
        raise ConfigError(
            f"series {series}: its worsening of {move.at[:10]} lies between commits "
            f"{ends[0] or 'unknown'} and {ends[1] or 'unknown'}; name two by --good and --bad"
        )
    return ends[0].removesuffix("-dirty"), ends[1].removesuffix("-dirty")


@dataclass
class _Search:
    """Measures commits beside the good one."""

    job: Job
    dispatcher: Dispatcher
    launches: int
    metric: str
    build: str
    least_effect: float
    moved: float = 1.0
    """The whole move: bad over good."""
    ends: str = ""
    """The same in words."""
    why: dict[str, str] = field(default_factory=dict)
    """What was seen of each commit, in words."""
    _good: str = ""
    _rounds: int = 0

    def reproduced(self, good: str, bad: str) -> bool:
        """Whether the ends differ here, by the least effect or more and not by chance."""
        a, b = self._beside(good, bad)
        found = change(a, b, self.least_effect)
        self.moved, self._good = found.ratio, good
        bounds = f"{_in_words(found.low)} to {_in_words(found.high)}"
        self.ends = f"{_in_words(found.ratio)} ({bounds})"
        return found.moved

    def attempt(self, commit: str) -> Tried:
        """Measure a commit beside the good one, more often where that doesn't tell."""
        good: list[float] = []
        tried: list[float] = []
        verdict = Tried.UNTOLD
        for _ in range(MORE):
            try:
                a, b = self._beside(self._good, commit)
            except NoVersion as error:  # the good end was built before: it's the other one
                return self._told(commit, Tried.SKIPPED, str(error))
            good, tried = good + a, tried + b
            verdict = nearer(good, tried, self.moved)
            if verdict is not Tried.UNTOLD:
                break
        found = change(good, tried, self.least_effect)
        return self._told(commit, verdict, _in_words(found.ratio))

    def _told(self, commit: str, verdict: Tried, why: str) -> Tried:
        self.why[commit] = why
        _say(f"{commit[:12]} {verdict}: {why}")
        return verdict

    def _beside(self, good: str, other: str) -> tuple[list[float], list[float]]:
        """The figure of both in interleaved launches. Raises NoVersion, AttnbenchError."""
        with (
            checked_out(self.job.kernel, good, self.build) as a,
            checked_out(self.job.kernel, other, self.build) as b,
        ):
            jobs = [replace(self.job, kernel=kernel) for kernel in (a, b)]
            records = measure(jobs, self.dispatcher, self.launches, new_sweep_id(), self._rounds)
        self._rounds += self.launches
        values = []
        for kernel, commit in ((a, good), (b, other)):
            of_one = records[kernel.name]
            bad = [record for record in of_one if record.status is not Status.OK]
            if bad or len(of_one) < 2:
                reason = f"{bad[0].status}: {bad[0].reason}" if bad else "it was interrupted"
                if commit == self._good or not self._good:
                    raise AttnbenchError(f"{commit[:12]}, an end of the search, fails: {reason}")
                raise NoVersion(reason)
            figures = [FIGURES[self.metric](record) for record in of_one]
            known = [figure for figure in figures if figure is not None and figure > 0]
            if len(known) < len(figures):
                raise AttnbenchError(f"{self.metric} of {commit[:12]} isn't measured here")
            values.append(known)
        return values[0], values[1]


def _subject(root: Path, commit: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), "log", "-1", "--format=%h %an, %as: %s", commit],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or commit
