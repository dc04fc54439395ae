"""A Postgres that is down, refuses, hangs or is only lent for reading: a clear line each."""

from __future__ import annotations

import logging
import re
import socket
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import URL, make_url

from harness.errors import StoreError
from harness.store import open_store
from harness.store.engine import open_engine
from harness.store.merge import merge
from harness.store.upkeep import info
from harness.store.url import parse_url, safe_text
from tests.postgres import PostgresServer
from tests.store.make import SWEEP, record

SECRET = "hunter2-is-planted"
README = Path(__file__).parents[2] / "README.md"


def refusal(url: str | URL, *, create: bool = False) -> str:
    """The line with which ``url`` isn't opened; its password is nowhere in what was raised."""
    shown = url if isinstance(url, str) else url.render_as_string(hide_password=False)
    with pytest.raises(StoreError) as caught:
        open_store(shown, create=create)
    assert len(str(caught.value).splitlines()) == 1
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


@contextmanager
def server_that_says(answer: bytes | None) -> Iterator[str]:
    """A port's URL where whatever comes first is answered by ``answer``; None: by nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def serve() -> None:
            try:
                while True:
                    client, _ = listening.accept()
                    kept.append(client)
                    client.recv(1000)
                    if answer is not None:
                        client.sendall(answer)
                        client.close()
            except OSError:  # closed: the test is over
                pass

        kept: list[socket.socket] = []
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"postgresql://me:{SECRET}@127.0.0.1:{listening.getsockname()[1]}/x"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        for client in kept:
            client.close()


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        (f"postgresql://me:{SECRET}@127.0.0.1:1/x", "is Postgres running"),
        (f"postgresql://me:{SECRET}@/x?host=/nowhere", "is the socket's folder right"),
        (f"postgresql://me:{SECRET}@nobody.invalid/x", "check the host's name"),
        (f"postgresql://me:{SECRET}@127.0.0.1:1/x?colour=red", "libpq's options"),
        (f"postgresql://me@127.0.0.1:1/x?colour=red&password={SECRET}", "password=[*]{3}:"),
        (f"postgresql://me:{SECRET}@127.0.0.1:1/x?sslmode=yes", "verify-full"),
        (f"postgresql://me:a@{SECRET}@127.0.0.1:1/x", "%40"),
        (f"postgresql://me:a@/{SECRET}@127.0.0.1:1/x", "%40"),
        (f"postgresql://me@127.0.0.1:{SECRET}/x", "can't be read"),
    ],
)
def test_no_server_or_no_good_url(url: str, advice: str) -> None:
    assert re.search(advice, refusal(url))


def test_a_server_that_never_answers_is_given_up() -> None:
    with server_that_says(None) as url:
        assert "connect_timeout=… in the URL" in refusal(url + "?connect_timeout=2")


def test_something_else_that_listens_there_is_named() -> None:
    with server_that_says(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url:
        assert "no Postgres: check the port" in refusal(url)


def test_wrong_password_role_and_database(postgres: PostgresServer) -> None:
    url = make_url(postgres.store())
    name, password = postgres.role("member")
    wrong = refusal(url.set(username=name, password=SECRET))
    assert "check user and password" in wrong
    assert f"{name}:***@" in wrong
    assert "check the user" in refusal(url.set(username="nobody_of_that_name", password=SECRET))
    assert "createdb" in refusal(url.set(database="nothing_of_that_name"), create=True)
    known = url.set(username=name, password=password)
    assert "this role may not" in refusal(known, create=True)


def test_no_log_of_any_library_holds_the_password(
    postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    name, _ = postgres.role("logged")
    caplog.set_level(logging.DEBUG)
    url = make_url(postgres.store()).set(username=name, password=SECRET)
    refusal(url)
    engine = open_engine(url, read_only=True)
    assert SECRET not in caplog.text + repr(engine) + repr(url) + repr(engine.pool)
    engine.dispose()


@pytest.mark.parametrize("given", ["", "?options=-c%20lock_timeout%3D50ms"])
def test_a_writer_waits_for_a_lock_as_long_as_is_said(postgres: PostgresServer, given: str) -> None:
    url = postgres.store()
    joint = "&" if "?" in url and given else ""
    with open_store(url) as store, open_store(url + (joint + given[1:] if joint else given)) as two:
        with two.reading() as connection:
            seconds = connection.scalar(text("SHOW lock_timeout"))
        assert seconds == ("50ms" if given else "30s")
        store.start_sweep(SWEEP)
        if given:
            with store.writing() as connection:
                connection.execute(text("LOCK TABLE result"))
                with pytest.raises(StoreError, match="has been writing for long: try again"):
                    two.append(record(1))
            assert two.append(record(1))


def test_what_the_url_says_reaches_libpq_and_the_rest_is_ours() -> None:
    url = parse_url(
        "postgresql://me@db/x?sslmode=verify-full&sslrootcert=/etc/ca.pem&sslcert=/c.pem"
        "&sslkey=/k.pem&connect_timeout=3&application_name=mine"
    )
    engine = open_engine(url)
    seen: dict[str, object] = {}

    class Seen(Exception):
        """Far enough: nobody is connected to."""

    @event.listens_for(engine, "do_connect")
    def connecting(dialect: object, record: object, args: object, params: dict) -> None:
        seen.update(params)
        raise Seen

    with pytest.raises(Seen):
        engine.connect()
    assert seen["host"] == "db"
    assert {name: seen[name] for name in ("sslmode", "sslrootcert", "sslcert", "sslkey")} == {
        "sslmode": "verify-full",
        "sslrootcert": "/etc/ca.pem",
        "sslcert": "/c.pem",
        "sslkey": "/k.pem",
    }
    assert (str(seen["connect_timeout"]), seen["application_name"]) == ("3", "mine")
    assert seen["keepalives_idle"] == 30


def test_tls_that_was_asked_for_is_never_done_without() -> None:
    with server_that_says(b"N") as url:  # a server without TLS
        assert "this server has no TLS" in refusal(url + "?sslmode=require")
    with server_that_says(b"S") as url:  # one with
        said = refusal(url + "?sslmode=verify-full&sslrootcert=/nowhere/ca.pem")
        assert "/nowhere/ca.pem" in said
        assert "names the authority to trust" in said


def documented_role(database: str, writer: str, reader: str, password: str) -> list[str]:
    """The statements of README.md for a role that only reads, with these names."""
    (block,) = re.findall(r"```sql\n(.*?)```", README.read_text(), re.DOTALL)
    lines = [line.split("--")[0].strip() for line in block.splitlines()]
    named = " ".join(lines).replace("bench", database).replace("writer", writer)
    named = named.replace("reader", reader).replace("'…'", f"'{password}'")
    return [part.strip() for part in named.split(";") if part.strip()]


def test_the_documented_role_reads_everything_and_writes_nothing_even_when_asked_to(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    url = make_url(postgres.store())
    with open_store(url.render_as_string(hide_password=False)) as store:
        store.start_sweep(SWEEP)
        store.append_many([record(1), record(2)])
    reader, password = postgres.role("reader")
    for statement in documented_role(str(url.database), str(url.username), reader, password):
        if not statement.startswith("CREATE ROLE"):
            postgres.run(statement, str(url.database))
    lent = url.set(username=reader, password=password).render_as_string(hide_password=False)
    with open_store(lent, read_only=True) as store:
        assert list(store.records()) == [record(1), record(2)]
        assert info(store).results == 2
        with open_store(str(tmp_path / "mine.db"), create=True) as mine:
            assert merge(store, mine).results == 2
    with open_store(lent) as store:  # asked to
        with pytest.raises(StoreError, match="only reads"):
            store.append(record(3))
        for statement in (
            "DELETE FROM sample",
            "UPDATE result SET reason = 'x'",
            "INSERT INTO tag (sweep_id, name, tagged_at) VALUES (1, 'x', 'y')",
            "TRUNCATE audit",
            "CREATE TABLE mine (x int)",
            "DROP TABLE sample",
            "SELECT nextval(pg_get_serial_sequence('result', 'id'))",
        ):
            asked = text(f"SET TRANSACTION READ WRITE; {statement}")
            with pytest.raises(StoreError, match="this role"), store.writing() as connection:
                connection.execute(asked)
    with open_store(url.render_as_string(hide_password=False)) as store:
        assert list(store.records()) == [record(1), record(2)]
    assert SECRET not in safe_text(parse_url(lent))


def test_a_store_opened_read_only_writes_nothing_whatever_the_role(
    postgres: PostgresServer,
) -> None:
    with (
        open_store(postgres.store(), read_only=True) as store,
        pytest.raises(StoreError, match="only reads"),
        store.reading() as connection,
    ):
        connection.execute(text("DELETE FROM sample"))
