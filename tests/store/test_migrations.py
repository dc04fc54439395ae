"""Every released schema comes up to date and goes back, on both engines, with what it holds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, MetaData, insert, select

from harness.errors import SchemaMismatch, StoreError
from harness.model import Status
from harness.store import engine as engines
from harness.store import migrate, open_store, schema
from harness.store.url import parse_url
from tests.store.conftest import ENGINES
from tests.store.make import SWEEP, record

OLD = sorted((Path(__file__).parent / "old").glob("*.db"))
"""A small file of each schema that was released before the newest, as that attnbench wrote it."""


@pytest.fixture(
    params=[(engine, file) for engine in ENGINES for file in OLD],
    ids=lambda p: f"{p[0]}-{p[1].stem}",
)
def old_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store of an older schema: a copy of the file, or the same rows in Postgres."""
    engine, file = request.param
    copy = tmp_path / "old.db"
    shutil.copyfile(file, copy)
    if engine == "sqlite":
        return str(copy)
    url = str(request.getfixturevalue("postgres").empty())
    source = engines.open_engine(parse_url(str(copy)), read_only=True)
    target = engines.open_engine(parse_url(url))
    with engines.writing(target) as connection, source.connect() as reader:
        migrate.build(connection, file.stem)
        tables = MetaData()
        tables.reflect(connection)
        for table in tables.sorted_tables:
            if table.name not in (schema.VERSION_TABLE, "store_info"):
                rows = [dict(row) for row in reader.execute(select(table)).mappings()]
                if rows:
                    connection.execute(insert(table), rows)
                if "id" in table.c:
                    last = f"(SELECT coalesce(max(id), 1) FROM {table.name})"
                    sequence = f"pg_get_serial_sequence('{table.name}', 'id')"
                    connection.exec_driver_sql(f"SELECT setval({sequence}, {last})")
    source.dispose()
    target.dispose()
    return url


@pytest.fixture
def engine(old_url: str) -> Iterator[Engine]:
    engine = engines.open_engine(parse_url(old_url))
    yield engine
    engine.dispose()


def test_there_is_an_old_file_of_every_schema_but_the_newest() -> None:
    assert [file.stem for file in OLD] == [f"{n:04}" for n in range(1, int(schema.HEAD))]


def test_an_old_store_is_refused_until_it_is_upgraded_and_then_holds_everything(
    old_url: str, engine: Engine
) -> None:
    with pytest.raises(SchemaMismatch, match="attnbench store upgrade"):
        open_store(old_url, create=True)
    assert migrate.upgrade(old_url).endswith(f"upgraded to {schema.HEAD}")
    with open_store(old_url) as store:
        assert [s.state for s in store.sweeps()] == ["done", "interrupted"]
        found = list(store.records())
        assert len(found) == 10
        assert record(1024, launch=2).to_dict() in [one.to_dict() for one in found]
        assert store.tally(SWEEP.id) == {Status.OK: 6, Status.SKIPPED: 1, Status.CRASHED: 1}
        assert not store.append(record(512, launch=1)), "its keys are those of today"
        assert store.append(record(4242))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": schema.VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, schema.metadata) == []


def test_an_upgraded_store_goes_back_and_up_again_with_its_results(
    old_url: str, engine: Engine
) -> None:
    with engine.connect() as connection:
        before = MetaData()
        before.reflect(connection)
        first = migrate.revision_of(connection, parse_url(old_url))
    assert first is not None
    migrate.upgrade(old_url)
    assert f"taken back to {first}" in migrate.downgrade(old_url, first)
    with engine.connect() as connection:
        after = MetaData()
        after.reflect(connection)
    assert set(after.tables) == set(before.tables)
    for name, table in before.tables.items():
        assert [c.name for c in after.tables[name].c] == [c.name for c in table.c]
    migrate.upgrade(old_url)
    with open_store(old_url, read_only=True) as store:
        assert len(list(store.records())) == 10


@pytest.mark.parametrize("revision", ["", "0", schema.HEAD, "9999", "x"])
def test_a_store_goes_back_only_to_a_schema_older_than_its_own(url: str, revision: str) -> None:
    with pytest.raises(StoreError, match="0001"):
        migrate.downgrade(url, revision)
    open_store(url).close()
