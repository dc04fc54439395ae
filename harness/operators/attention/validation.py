"""What attention can't mean, refused with the field, its value and what to do: no torch."""

from __future__ import annotations

from typing import Any

from harness.errors import InvalidProblem, did_you_mean
from harness.model import Problem
from harness.model.lengths import sequence_lengths
from harness.model.patterns import PATTERN_PARAMS

DTYPES = ("fp64", "fp32", "fp16", "bf16")

_UNKNOWN = {
    "cache": "keys and values from a cache: use the decode operator",
    "page_size": "there is no cache to page",
    "kv_dtype": "keys and values have the queries' type",
}


def validate(problem: Problem) -> None:
    """Raise InvalidProblem for what attention can't mean, naming the field and its value."""
    for name, why in _UNKNOWN.items():
        value = getattr(problem, name)
        if value:
            raise InvalidProblem(f"operator attention doesn't take {name}={value!r}: {why}")
    if problem.dtype not in DTYPES:
        raise InvalidProblem(
            f"operator attention has no rule of correctness for dtype={problem.dtype!r}; "
            f"it takes {', '.join(DTYPES)}"
        )
    check_window(problem)
    if problem.alibi and problem.param("alibi") is not True:
        raise InvalidProblem(f"alibi={problem.param('alibi')!r} must be true or false")
    _check_params(problem)
    _check_pattern(problem)
    _check_lengths(problem)


def check_window(problem: Problem) -> None:
    """Raise InvalidProblem for a window of a query's own position, of whichever operator."""
    if problem.window_left == 0 and problem.causal:
        raise InvalidProblem(
            "window_left=0 and nothing to the right: a query sees its own position alone, so the "
            "output is v whatever the scores are. A window of W keys has window_left=W-1, 1 or more"
        )


def _check_params(problem: Problem) -> None:
    pattern = problem.pattern
    if pattern and pattern not in PATTERN_PARAMS:
        raise InvalidProblem(
            f"operator attention knows no pattern={pattern!r}. "
            f"{did_you_mean(pattern, PATTERN_PARAMS)}"
        )
    wanted = PATTERN_PARAMS.get(pattern, ())
    mask = f"pattern={pattern!r}" if pattern else "a mask without a pattern"
    for name, value in problem.params:
        if name not in (*wanted, "alibi"):
            takes = f"takes {', '.join(wanted)}" if wanted else "takes no parameters"
            raise InvalidProblem(f"{mask} doesn't know params.{name}={value!r}: it {takes}")
    missing = [name for name in wanted if problem.param(name) is None]
    if missing:
        raise InvalidProblem(
            f"{mask} needs params.{' and params.'.join(missing)}: "
            f"set {' '.join(f'+workload.params.{name}=…' for name in missing)}"
        )


def _count(problem: Problem, name: str, least: int, most: int | None = None) -> None:
    value: Any = problem.param(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidProblem(
            f"params.{name} must be a whole number of {least} or more, not {value!r}"
        )
    if most is not None and value > most:
        raise InvalidProblem(f"params.{name}={value} is more than the sequence's {most} tokens")


def _check_pattern(problem: Problem) -> None:
    pattern = problem.pattern
    if not pattern:
        return
    windowed = problem.window_left is not None or problem.window_right is not None
    if windowed and pattern != "document":
        raise InvalidProblem(
            f"pattern {pattern} has its own local part (params): window_left and window_right "
            "must be null"
        )
    if pattern == "strided":
        _count(problem, "stride", 2)
        _count(problem, "local", 1)
        return
    if problem.seq_q != problem.seq_k:
        raise InvalidProblem(
            f"pattern {pattern} is for self-attention: seq_q={problem.seq_q} must be "
            f"seq_k={problem.seq_k}"
        )
    _count(problem, "seed", 0)
    if pattern == "document":
        _count(problem, "documents", 2, problem.seq_k)
        return
    _count(problem, "block", 1, problem.seq_k)
    if pattern == "block_sparse":
        keep = problem.param("keep")
        if isinstance(keep, bool) or not isinstance(keep, int | float) or not 0 < keep <= 1:
            raise InvalidProblem(
                f"params.keep={keep!r} must be the share of blocks to keep, above 0 and up to 1"
            )
        return
    _count(problem, "global_blocks", 0)
    _count(problem, "random_blocks", 0)
    _count(problem, "window_blocks", 1)
    if problem.param("window_blocks") % 2 == 0:
        raise InvalidProblem(
            f"params.window_blocks={problem.param('window_blocks')} must be odd: "
            "the own block and as many on either side"
        )


def _check_lengths(problem: Problem) -> None:
    if not problem.lengths:
        if problem.lengths_seed:
            raise InvalidProblem(
                f"lengths_seed={problem.lengths_seed} has no effect: every sequence is full "
                "without lengths"
            )
        return
    sequence_lengths(problem.lengths, problem.lengths_seed, 2, problem.seq_k)
    if problem.batch < 2:
        raise InvalidProblem(
            f"lengths={problem.lengths!r} needs a batch of 2 or more: the first sequence is full"
        )
    if problem.pattern not in ("", "strided"):
        raise InvalidProblem(
            f"lengths={problem.lengths!r} can't go with pattern {problem.pattern}, which is drawn "
            "for one length"
        )
