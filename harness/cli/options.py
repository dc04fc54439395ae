"""Options that several groups of commands share."""

from __future__ import annotations

from typing import Annotated

import typer

StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="Result database: a file, sqlite:///… or postgresql+psycopg://… "
        "(default: ATTNBENCH_STORE, else results/attnbench.db).",
        show_default=False,
    ),
]
