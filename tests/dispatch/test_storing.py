"""A sweep's database that goes away in the middle: waited for, and nothing measured is lost."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.cli.run import stopping_on_signals
from harness.dispatch.base import Event, Finished
from harness.dispatch.driver import run_sweep
from harness.dispatch.storing import LONGEST_PAUSE_S, Storing
from harness.errors import RecordConflict, StoreError
from harness.measure.request import Request
from harness.model import Record
from harness.store import open_store
from tests.postgres import PostgresServer
from tests.store.make import SWEEP, record


class Measured:
    """A dispatcher whose records are there already; ``before(n)`` runs before the nth arrives."""

    def __init__(self, records: Sequence[Record], before: Callable[[int], None]) -> None:
        self._records, self._before = records, before

    def run(self, requests: Sequence[Request]) -> Iterator[Event]:
        for number, (request, one) in enumerate(zip(requests, self._records, strict=True)):
            self._before(number)
            yield Finished(request, one)

    def stop(self) -> None: ...

    def close(self) -> None: ...


RECORDS = [record(seq) for seq in range(1, 6)]
REQUESTS: list[Request] = [None] * len(RECORDS)  # type: ignore[list-item]


def deaf(event: Event) -> None: ...


def test_a_connection_dropped_in_the_middle_costs_nothing_and_says_so(
    postgres: PostgresServer, empty_folder: Path
) -> None:
    url = postgres.store()
    said: list[str] = []
    with open_store(url) as store:
        store.start_sweep(SWEEP)
        drops = Measured(RECORDS, lambda n: postgres.drop_connections(url) if n in (1, 3) else None)
        outcome = run_sweep(SWEEP, REQUESTS, store, drops, deaf, said.append)
        assert outcome.failures == 0
        assert list(store.records()) == RECORDS
        assert store.sweep(SWEEP.id).state == "done"
    assert list(empty_folder.iterdir()) == []
    assert all(len(line.splitlines()) == 1 for line in said)


def test_a_transaction_that_loses_its_connection_is_written_again_whole(
    postgres: PostgresServer,
) -> None:
    """The server goes between a record's row and its samples."""
    url = postgres.store()
    with open_store(url) as store:
        store.start_sweep(SWEEP)

        def half() -> None:
            with store.writing() as connection:
                store._writer.insert(connection, RECORDS[:1])
                postgres.drop_connections(url)

        with pytest.raises(StoreError, match="run the same again"):
            half()
        assert list(store.records()) == []
        assert store.append(RECORDS[0])
        assert list(store.records()) == RECORDS[:1]


def test_a_server_that_is_closed_for_a_while_is_waited_for(
    postgres: PostgresServer, empty_folder: Path
) -> None:
    url = postgres.store()
    said: list[str] = []
    pauses: list[float] = []

    def opened_again(pause_s: float) -> None:
        pauses.append(pause_s)
        (kept,) = empty_folder.iterdir()
        assert kept.read_text().count("\n") == 1, "what isn't stored is kept meanwhile"
        if len(pauses) == 8:
            postgres.allow(url, True)

    with open_store(url) as store:
        store.start_sweep(SWEEP)
        postgres.allow(url, False)
        storing = Storing(store, SWEEP.id, said.append, folder=empty_folder, sleep=opened_again)
        storing.append(RECORDS[0])
        assert list(store.records()) == RECORDS[:1]
    assert list(empty_folder.iterdir()) == []
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_S
    waits, goes_on = said
    assert "not currently accepting" in waits
    assert "unstored-" in waits
    assert "answers again" in goes_on


def test_what_could_never_be_stored_is_in_a_file_that_import_reads(
    postgres: PostgresServer, empty_folder: Path
) -> None:
    url = postgres.store()
    with open_store(url) as store:
        store.start_sweep(SWEEP)
        store.append(RECORDS[0])
        postgres.allow(url, False)
        storing = Storing(store, SWEEP.id, deaf, patience_s=60, sleep=lambda pause: None)
        with pytest.raises(StoreError, match=r"attnbench store import unstored-.*resume=true"):
            storing.append(RECORDS[1])
        with pytest.raises(StoreError, match="not currently accepting"):
            storing.finish("done")
        postgres.allow(url, True)
    (file,) = empty_folder.iterdir()
    imported = CliRunner().invoke(app, ["store", "import", file.name, "--store", url])
    assert imported.exit_code == 0, imported.output
    with open_store(url) as store:
        assert list(store.records()) == RECORDS[:2]
        assert store.sweep(SWEEP.id).state == "running", "its sweep can be resumed"


def test_what_waiting_cant_help_is_not_waited_for(
    postgres: PostgresServer, empty_folder: Path
) -> None:
    def never(pause_s: float) -> None:
        raise AssertionError("it waits")

    with open_store(postgres.store()) as store:
        storing = Storing(store, SWEEP.id, deaf, folder=Path("none"), sleep=never)
        with pytest.raises(StoreError, match=r"no sweep.*can't be kept in .*measures it again"):
            storing.append(RECORDS[0])
        store.start_sweep(SWEEP)
        storing.append(RECORDS[0])
        with pytest.raises(RecordConflict):
            storing.append(record(1, samples_ms=(9.0,) * 6))
    assert list(empty_folder.iterdir()) == []


def test_ctrl_c_while_the_database_is_away_ends_soon_with_all_records_in_the_file(
    postgres: PostgresServer, empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = postgres.store()
    with open_store(url) as store:
        store.start_sweep(SWEEP)
        away = Measured(RECORDS, lambda n: postgres.allow(url, False) if n == 2 else None)

        def first_line(text: str) -> None:
            assert "Trying again for 10 minutes" in text
            signal.raise_signal(signal.SIGINT)

        with pytest.raises(KeyboardInterrupt), stopping_on_signals(away) as stopped:
            run_sweep(SWEEP, REQUESTS, store, away, deaf, first_line, stopped=stopped)
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "not currently accepting" in said
        assert "`attnbench store import unstored-" in said
        postgres.allow(url, True)
        (file,) = empty_folder.iterdir()
        imported = CliRunner().invoke(app, ["store", "import", file.name, "--store", url])
        assert imported.exit_code == 0, imported.output
        assert list(store.records()) == RECORDS


def test_a_store_that_fails_without_ctrl_c_is_a_failure_of_the_tool() -> None:
    with pytest.raises(StoreError, match="gone"), stopping_on_signals(Measured([], lambda n: None)):
        raise StoreError("gone")


def test_a_record_that_cant_be_kept_leaves_no_half_of_a_line(empty_folder: Path) -> None:
    """A disk without room for the file either."""
    (empty_folder / f"unstored-{SWEEP.id}.jsonl").symlink_to("/dev/full")
    with open_store(str(empty_folder / "a.db"), create=True) as store:
        storing = Storing(store, SWEEP.id, deaf)
        with pytest.raises(StoreError, match=r"can't be kept in .*\(No space left"):
            storing.append(RECORDS[0])
    assert [path.name for path in empty_folder.iterdir()] == ["a.db"]
