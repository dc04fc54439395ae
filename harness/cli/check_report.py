"""What ``check`` prints: a line a claim, what it was tried on, and of each fault by how much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from rich.console import Console

from harness.cli.lines import print_line
from harness.measure.outcome import Outcome
from harness.measure.suite import Claim
from harness.model import Gpu, Kernel, Problem
from harness.operators.aspects import aspects

OWED = (
    "each: two calls, inputs and process left as they were; the first and the last of a claim also "
    "on new values at the same addresses"
)
SHOWN = 4
"""Faults of one claim that are printed in full."""


def print_claims(kernel: Kernel, gpu: Gpu, claims: Iterable[Claim], console: Console) -> int:
    """Print each claim as it is tried, then what all of it covered; returns the faults."""
    faults = 0
    everything: list[tuple[Problem, Outcome]] = []
    print_line(console, f"{kernel.name} ({kernel.operator}) on {gpu.name}", style="bold")
    for claim in claims:
        everything += claim.tried
        wrong = claim.faults()
        faults += len(wrong)
        print_line(console, _summary(claim, wrong), indent=2, style="red" if wrong else "")
        for text in wrong[:SHOWN]:
            print_line(console, f"FAILED {text}", indent=4)
        if len(wrong) > SHOWN:
            print_line(console, f"and {len(wrong) - SHOWN} more like these", indent=4)
        for text in (*_pattern(claim), *_notes(claim)):
            print_line(console, text, indent=4)
    print_line(console, OWED, indent=2, style="dim")
    for group, words in _coverage(everything).items():
        said = ", ".join(f"{word} {count}" for word, count in words.items())
        print_line(console, f"{group}: {said}", indent=2, style="dim")
    return faults


def _summary(claim: Claim, wrong: list[str]) -> str:
    """``fp32 forward: 46 passed, largest error 1.2e-06, 31 % of what is allowed``."""
    passed, refused = claim.of("passed"), claim.of("refused")
    parts = [f"{len(passed)} passed"]
    if passed:
        largest = max(outcome.max_error for _, outcome in passed)
        strain = max(outcome.strain for _, outcome in passed)
        parts.append(f"largest error {largest:.2g} ({strain:.0%} of what is allowed at most)")
    parts += [f"{len(refused)} refused"] if refused else []
    parts += [f"{len(wrong)} FAILED"] if wrong else []
    return f"{claim.dtype} {claim.direction}: {', '.join(parts)}"


def _pattern(claim: Claim) -> Iterator[str]:
    """What the faults have in common: enough for a fault, and what no fault is without."""
    failed, passed = claim.of("failed"), claim.of("passed")
    if failed and not passed:
        yield "every case fails"
    if not failed or not passed:
        return
    wrong, right = _words(failed), _words(passed)
    # one case says little, unless it is the only fault
    enough = [w for w in wrong if w not in right and (wrong[w] > 1 or len(failed) == 1)]
    shared = [w for w in wrong if wrong[w] == len(failed) and right[w] < len(passed)]
    if enough:
        yield f"every case fails that has: {', '.join(enough)}"
    if shared and shared != enough:
        yield f"all that fail have: {', '.join(shared)}"


def _notes(claim: Claim) -> Iterator[str]:
    """What is no fault, but good to know."""
    loose = sum(not outcome.repeatable for _, outcome in claim.of("passed"))
    if loose:
        yield (
            f"not deterministic: two calls with the same values differ in their last bits "
            f"in {loose} of {len(claim.of('passed'))} cases"
        )
    for reason, count in Counter(outcome.reason for _, outcome in claim.of("refused")).items():
        yield f"refused {count} ×: {reason}"


def _words(tried: list[tuple[Problem, Outcome]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for problem, _ in tried:
        for group, words in aspects(problem).items():
            named = group in ("masks", "head dims")
            found.update(f"{group[:-1]} {word}" if named else word for word in words)
    return found


def _coverage(tried: list[tuple[Problem, Outcome]]) -> dict[str, Counter[str]]:
    """How many problems had each word, by group; what was refused doesn't count."""
    out: dict[str, Counter[str]] = {}
    for problem, outcome in tried:
        if outcome.status != "refused":
            for group, words in aspects(problem).items():
                out.setdefault(group, Counter()).update(words)
    return {group: words for group, words in out.items() if words}
