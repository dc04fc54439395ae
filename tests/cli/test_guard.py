"""How commands end and warn."""

from __future__ import annotations

import warnings

import pytest
import typer

from harness.cli.guard import guarded
from harness.errors import AttnbenchWarning


def test_our_warnings_are_a_line_and_those_of_libraries_stay_theirs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    theirs = []

    @guarded
    def command() -> int:
        warnings.simplefilter("always")
        warnings.warn("postgresql://me:secret@host/x is slow", AttnbenchWarning, stacklevel=2)
        warnings.warn("old", UserWarning, stacklevel=2)
        return 0

    with warnings.catch_warnings():
        warnings.showwarning = lambda message, category, *more: theirs.append(category)
        with pytest.raises(typer.Exit) as ended:
            command()
        warnings.warn("after", UserWarning, stacklevel=2)
    assert ended.value.exit_code == 0
    said = capsys.readouterr().err
    assert said.startswith("attnbench: warning: postgresql:")
    assert said.count("\n") == 1
    assert "secret" not in said
    assert theirs[0] is UserWarning
