"""Every error that attnbench raises on purpose.

    AttnbenchError              something the user can act on; the CLI prints it and exits with 2
    ├── InvalidProblem          a problem, kernel or device that makes no sense
    ├── ConfigError             a config, override or axis that can't be composed
    ├── KernelError             a kernel file that can't be loaded, or whose bytes changed
    ├── StoreError              a database that can't be opened, read or written
    │   ├── SchemaMismatch      the database's schema is older or newer than this attnbench
    │   └── RecordConflict      two different records claim the same identity
    ├── ImportFailed             another tool's file that can't be read; names the file and line
    ├── DispatchError           no worker, no such GPU, or a cluster that can't be reached
    └── MeasureError            the measuring machinery (not the kernel) failed

A message says what was wrong, with the value, and what to do next. What a *kernel* does wrong is
never an exception of this tree: it is a Record with a status.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AttnbenchError(Exception):
    """Base of every error that a user can act on."""


class InvalidProblem(AttnbenchError):
    """A problem, kernel or device description that makes no sense."""


class ConfigError(AttnbenchError):
    """A config, override or axis that can't be composed."""


class KernelError(AttnbenchError):
    """A kernel file that can't be loaded, has no ``build``, or changed under a running sweep."""


class StoreError(AttnbenchError):
    """A database that can't be opened, read or written."""


class SchemaMismatch(StoreError):
    """The database's schema is older or newer than the one this attnbench writes."""


class RecordConflict(StoreError):
    """Two different records claim the same identity (sweep, job, launch, attempt)."""


class ImportFailed(AttnbenchError):
    """Another tool's file that can't be read as what it should be; names the file and line."""


class DispatchError(AttnbenchError):
    """No worker, no such GPU in the cluster, or a cluster that can't be reached."""


class MeasureError(AttnbenchError):
    """The measuring machinery itself failed; never used for what a kernel did."""


def shortened(message: str, most: int = 600) -> str:
    """``message``, or its two ends where a value that it names makes it longer than ``most``."""
    if len(message) <= most:
        return message
    half = most // 2 - 10
    return f"{message[:half]} … … {message[-half:]}"


def did_you_mean(name: str, known: Iterable[str], limit: int = 3) -> str:
    """A sentence naming the known names closest to ``name``, or listing them if none is close."""
    known = sorted(set(known))
    close = difflib.get_close_matches(name, known, n=limit, cutoff=0.5)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    if not known:
        return "There are none."
    shown = ", ".join(known[:12])
    return f"There are: {shown}{', …' if len(known) > 12 else ''}."


class AttnbenchWarning(UserWarning):
    """Something that works now and may hurt later; the command line prints it as a line."""
