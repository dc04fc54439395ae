"""Migrations make the schema that the code reads; older and newer ones are refused by name."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from harness.errors import SchemaMismatch, StoreError
from harness.store import Store, migrate, open_store, schema, upgrade
from tests.store.make import SWEEP, record

ROOT = Path(__file__).parents[2]
NEXT = f"{int(schema.HEAD) + 1:04}"
"""The revision that a later attnbench would have."""


def set_version(path: Path, version: str) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute(f"UPDATE {schema.VERSION_TABLE} SET version_num = ?", (version,))
    raw.close()


@pytest.fixture
def closed(sqlite_store: Store, path: Path) -> Path:
    sqlite_store.append(record())
    sqlite_store.close()
    return path


def test_the_migrations_make_exactly_the_tables_of_the_metadata(store: Store) -> None:
    with store.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": schema.VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, schema.metadata) == []


def test_the_head_is_alembics_and_every_revision_is_a_number() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.FOLDER))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_current_head() == schema.HEAD
    assert all(script.revision.isdigit() for script in scripts.walk_revisions())


def test_every_foreign_key_leads_an_index() -> None:
    for table in schema.metadata.tables.values():
        leading = {next(iter(index.columns)).name for index in table.indexes}
        leading |= {next(iter(c.columns)).name for c in table.constraints if len(c.columns)}
        for key in table.foreign_keys:
            assert key.parent.name in leading, f"{table.name}.{key.parent.name}"


def test_foreign_keys_are_enforced(store: Store) -> None:
    with pytest.raises(StoreError, match=r"(?i)foreign key"), store.reading() as connection:
        connection.execute(schema.sample.insert().values(result_id=12345, times_ms=b"0"))


def test_an_older_schema_is_refused_naming_the_upgrade_command(closed: Path) -> None:
    set_version(closed, "0000")
    before = closed.read_bytes()
    for read_only in (False, True):
        with pytest.raises(SchemaMismatch) as caught:
            open_store(str(closed), create=True, read_only=read_only)
        assert f"`attnbench store upgrade sqlite:///{closed}`" in str(caught.value)
    assert closed.read_bytes() == before


@pytest.mark.parametrize("version", [NEXT, "9999", "a1b2c3"])
def test_a_newer_schema_is_refused_naming_the_version_that_made_it(
    closed: Path, version: str
) -> None:
    set_version(closed, version)
    with sqlite3.connect(closed) as raw:
        raw.execute("UPDATE store_info SET value = '7.8.9'")
    raw.close()
    for attempt in (open_store, upgrade):
        with pytest.raises(SchemaMismatch, match=r"newer attnbench \(7\.8\.9 or later\)"):
            attempt(str(closed))


def test_upgrade_leaves_a_current_store_alone_and_refuses_what_is_none(
    closed: Path, tmp_path: Path
) -> None:
    before = closed.read_bytes()
    assert "nothing to do" in upgrade(str(closed))
    assert closed.read_bytes() == before
    with pytest.raises(StoreError, match="no store at"):
        upgrade(str(tmp_path / "none.db"))
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as raw:
        raw.execute("CREATE TABLE t (x)")
    raw.close()
    with pytest.raises(StoreError, match="another program"):
        upgrade(str(foreign))


def test_upgrade_runs_the_migrations_that_are_missing(
    closed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = tmp_path / "migrations"
    shutil.copytree(migrate.FOLDER, later, ignore=shutil.ignore_patterns("__pycache__"))
    (later / "versions" / f"{NEXT}_note.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f"revision = '{NEXT}'\ndown_revision = '{schema.HEAD}'\n"
        "def upgrade():\n"
        "    with op.batch_alter_table('sweep') as batch:\n"
        "        batch.add_column(sa.Column('note', sa.Text()))\n"
        "        batch.alter_column('host', new_column_name='node')\n"
        "    if FAILS: raise RuntimeError('planted')\n"
        "FAILS = False\n"
    )
    monkeypatch.setattr(migrate, "FOLDER", later)
    monkeypatch.setattr(migrate, "HEAD", NEXT)
    script = later / "versions" / f"{NEXT}_note.py"
    working = script.read_text()
    before = closed.read_bytes()

    script.write_text(working.replace("FAILS = False", "FAILS = True"))
    with pytest.raises(RuntimeError, match="planted"):
        upgrade(str(closed))
    assert closed.read_bytes() == before, "a migration that fails leaves the schema it found"

    script.write_text(working)
    assert upgrade(str(closed)).endswith(f"schema {schema.HEAD} upgraded to {NEXT}")
    raw = sqlite3.connect(closed)
    columns = [row[1] for row in raw.execute("PRAGMA table_info(sweep)")]
    assert {"note", "node"} <= set(columns)
    assert raw.execute("SELECT key, node FROM sweep").fetchall() == [(SWEEP.id, SWEEP.host)]
    assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
    assert raw.execute("SELECT count(*) FROM result").fetchone() == (1,)
    raw.close()


def test_a_store_is_made_from_an_installed_copy_without_the_checkout(tmp_path: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "harness", tmp_path / "site %d" / "harness", ignore=ignore)
    script = "from harness.store import open_store; open_store('made.db', create=True).close()"
    work = tmp_path / "work"
    work.mkdir()
    subprocess.run(
        [sys.executable, "-P", "-c", script],
        cwd=work,
        env={"PYTHONPATH": str(tmp_path / "site %d")},
        check=True,
    )
    open_store(str(work / "made.db")).close()
