"""A password given on the command line works, and is neither printed nor kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.engine import make_url
from typer.testing import CliRunner

from harness.cli.app import app
from harness.masking import masked
from harness.store import open_store
from tests.cli.conftest import TINY
from tests.postgres import PostgresServer

SECRET = "hunter2-is-planted"


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (f"postgresql://me:{SECRET}@db/x", "postgresql://me:***@db/x"),
        (f"'store.url=postgresql+psycopg://me:{SECRET}@db/x'", "me:***@db/x'"),
        (f"postgresql://me:{SECRET}/@{SECRET}@db/x", "me:***@db/x"),
        (f"postgresql://db/x?user=me&password={SECRET}&sslmode=require", "***&sslmode=require"),
        (f"postgresql://db/x?sslpassword={SECRET}", "sslpassword=***"),
    ],
)
def test_a_password_is_masked_and_the_rest_is_kept(text: str, right: str) -> None:
    assert SECRET not in masked(text)
    assert masked(text).endswith(right)


@pytest.mark.parametrize(
    "text", ["sqlite:////srv/a.db", "cluster.address=head:6379", "postgresql://me@db/x", "a@b: c"]
)
def test_text_without_a_password_stays(text: str) -> None:
    assert masked(text) == text


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--cfg", "job", *TINY, "kernel=eager"],
        ["run", *TINY, "kernel=eager", "workload.seqlen=3"],
        ["run", *TINY, "kernel=eager"],  # nobody listens there
    ],
)
def test_no_output_holds_it(arguments: list[str], empty_folder: Path) -> None:
    url = f"store.url=postgresql://me:{SECRET}@127.0.0.1:1/x"
    ended = CliRunner().invoke(app, [*arguments, url])
    assert ended.output
    assert SECRET not in ended.output


def test_a_sweep_keeps_its_command_without_the_password(
    postgres: PostgresServer, empty_folder: Path
) -> None:
    """A server that trusts its own machine takes any password; another one has its own."""
    address = make_url(postgres.empty())
    secret = str(address.password or SECRET)
    url = address.set(password=secret).render_as_string(hide_password=False)
    command = ["run", *TINY, "kernel=eager", "workload.seq_len=16", "cluster=inline"]
    for resume in ([], ["resume=true"]):  # resume finds the sweep by its masked overrides
        ended = CliRunner().invoke(app, [*command, f"store.url='{url}'", *resume])
        assert ended.exit_code == 0, ended.output
        assert secret not in ended.output
    with open_store(url, read_only=True) as store:
        (sweep,) = store.sweeps()
    assert "***" in sweep.command
    assert secret not in sweep.command + repr(sweep.overrides)
