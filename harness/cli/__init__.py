"""The command line. Each command's body is loaded when it is called: ``--help`` stays quick.

Exit codes: 0 done; 1 some jobs failed (or a verdict); 2 wrong usage, or the tool itself failed;
3 not enough evidence; 130 interrupted.
"""

from __future__ import annotations

import sys
import traceback


def main(arguments: list[str] | None = None) -> None:
    """Entry point of ``attnbench``; always ends in SystemExit with a documented code."""
    from harness.cli.app import app
    from harness.errors import AttnbenchError

    try:
        code = app(arguments, standalone_mode=False)
    except AttnbenchError as error:
        print(f"attnbench: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("attnbench: interrupted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - see _unexpected: nothing is swallowed
        sys.exit(_unexpected(error))
    sys.exit(code if isinstance(code, int) else 0)


def _unexpected(error: Exception) -> int:
    """Usage errors as click words them; anything else is a bug of ours, with its traceback.

    Both end with 2, so that a failure of the tool is never read as a verdict.
    """
    import click

    if isinstance(error, click.exceptions.Exit):
        return int(error.exit_code)
    if isinstance(error, click.ClickException):
        error.show()
        return 2
    if isinstance(error, click.exceptions.Abort):
        print("attnbench: interrupted", file=sys.stderr)
        return 130
    if isinstance(error, BrokenPipeError):  # `attnbench results | head`
        sys.stderr.close()
        return 0
    traceback.print_exception(error)
    print(
        f"attnbench: unexpected {type(error).__name__}, a bug in attnbench: please report it with "
        "the lines above",
        file=sys.stderr,
    )
    return 2
