"""Actual lengths of the sequences in a batch: seeded, and the same on every machine.

Only ``random.Random.random`` and exact float arithmetic are used, which Python and IEEE 754 promise
to be the same everywhere: a length belongs to a problem's identity.
"""

from __future__ import annotations

import random
from functools import lru_cache

from harness.errors import InvalidProblem, did_you_mean

DISTRIBUTIONS = {
    "uniform": "every length from 1 to the longest is as likely",
    "skewed": "the product of two uniform numbers: most sequences short, a few long",
}
"""What ``Problem.lengths`` may name. The first sequence always has the full length."""


@lru_cache(maxsize=4096)
def sequence_lengths(
    distribution: str, seed: int, count: int, longest: int, stream: str = ""
) -> tuple[int, ...]:
    """Lengths of ``count`` sequences, 1 to ``longest`` tokens each; the first is the longest.

    ``distribution`` "" makes all of them full. ``stream`` keeps the lengths of queries and keys
    apart where they are drawn apart. Raises InvalidProblem for an unknown distribution.
    """
    if not distribution:
        return (longest,) * count
    if distribution not in DISTRIBUTIONS:
        raise InvalidProblem(
            f"lengths={distribution!r} is no known distribution of lengths. "
            f"{did_you_mean(distribution, DISTRIBUTIONS)}"
        )
    rng = random.Random(f"attnbench lengths/{seed}/{stream}")

    def one() -> int:
        share = rng.random()
        if distribution == "skewed":
            share *= rng.random()
        return 1 + int(share * longest)

    return (longest, *(one() for _ in range(count - 1)))
