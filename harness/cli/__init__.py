"""The command line. Each command's body is loaded when it is called: ``--help`` stays quick.

Exit codes: 0 done; 1 some jobs failed (or a verdict); 2 wrong usage, or the tool itself failed;
3 not enough evidence; 130 interrupted.
"""

from __future__ import annotations


def main() -> None:
    """Entry point of ``attnbench``; ends in SystemExit with a documented code."""
    from harness.cli.app import app

    app(prog_name="attnbench")
