"""How every command ends: with a documented exit code, and for bad input without a traceback."""

from __future__ import annotations

import functools
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any, NoReturn, ParamSpec

import typer

from harness.errors import AttnbenchError, AttnbenchWarning
from harness.masking import masked

P = ParamSpec("P")

FAILED = 2
INTERRUPTED = 130


def guarded(body: Callable[P, int]) -> Callable[P, NoReturn]:
    """A command that ends with the exit code ``body`` returns, or with that of its exception.

    An AttnbenchError is a line on standard error; any other exception is a bug of ours and keeps
    its traceback. Both end with 2, so that a failure of the tool is never read as a verdict.
    """

    @functools.wraps(body)
    def command(*args: P.args, **kwargs: P.kwargs) -> NoReturn:
        raise typer.Exit(_code(lambda: body(*args, **kwargs)))

    return command


def _code(call: Callable[[], int]) -> int:
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _in_a_line(warnings.showwarning)
            return call()
    except AttnbenchError as error:
        print(f"attnbench: {masked(str(error))}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("attnbench: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `attnbench results | head`: the reader has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except typer.Exit:
        raise
    except Exception as error:  # noqa: BLE001 - nothing is swallowed: it is printed, and fails
        print(masked("".join(traceback.format_exception(error))), file=sys.stderr, end="")
        print(
            f"attnbench: unexpected {type(error).__name__}, a bug in attnbench: please report it "
            "with the lines above",
            file=sys.stderr,
        )
        return FAILED


def _in_a_line(others: Callable[..., None]) -> Callable[..., None]:
    """Shows our own warnings as a line for people; ``others`` show those of libraries."""

    def show(message: Warning | str, category: type[Warning], *more: Any) -> None:
        if issubclass(category, AttnbenchWarning):
            print(f"attnbench: warning: {masked(str(message))}", file=sys.stderr)
        else:
            others(message, category, *more)

    return show
