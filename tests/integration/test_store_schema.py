"""Tables, migrations and keys: made once however many begin, agreeing with the code, refused when newer (T86)."""

import multiprocessing
import stat
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text

from cds_service.errors import CdsError, InvalidInput, InvalidSettings, StoreUnavailable
from cds_service.store.database import database as parsed
from cds_service.store.database import new_engine
from cds_service.store.pseudonyms import KEY_FILE, Pseudonyms, key_in
from cds_service.store.records import Response
from cds_service.store.schema import check, migrate
from cds_service.store.store import Store
from cds_service.store.tables import metadata
from tests.records import said
from tests.server import NOW

AT_ONCE = 8


def engine_of(url: str) -> Engine:
    return new_engine(parsed(url))


def differences(url: str) -> list[Any]:
    """What would have to be changed in a database so that its tables are those that the code uses."""
    engine = engine_of(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        found = compare_metadata(context, metadata)
    engine.dispose()
    return found


def test_the_migrations_make_the_tables_that_the_code_uses(database: str) -> None:
    assert differences(database) == []


def test_a_difference_between_migrations_and_tables_would_be_seen(database: str) -> None:
    engine = engine_of(database)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE feedback ADD COLUMN more INTEGER"))
    engine.dispose()
    [difference] = differences(database)
    assert difference[0] == "remove_column"


def test_starting_again_keeps_what_is_there(database: str, store: Store) -> None:
    store.add_feedback([said(Response.ACCEPTED)])
    migrate(database)
    assert len(list(store.feedback(NOW))) == 1


def test_services_that_start_at_once_make_the_tables_once(new_database: str) -> None:
    with ProcessPoolExecutor(AT_ONCE, multiprocessing.get_context("spawn")) as services:
        list(services.map(migrate, [new_database] * AT_ONCE))
    assert differences(new_database) == []


def test_sqlite_waits_for_no_reader(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    migrate(url)
    engine = engine_of(url)
    with engine.connect() as connection:
        told = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")}
        assert told == {"journal_mode": "wal", "synchronous": 2}
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 5000
    engine.dispose()


@pytest.mark.parametrize("act", [migrate, check])
def test_t86_a_database_of_a_newer_version_is_refused(database: str, act: object) -> None:
    engine = engine_of(database)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(InvalidSettings, match=r"revision 9999.*newer version.*Install that version"):
        act(database)  # type: ignore[operator]


def test_commands_do_not_make_a_store(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"no store at .*store\.db"):
        check(f"sqlite:///{tmp_path / 'store.db'}")
    assert list(tmp_path.iterdir()) == []


def test_commands_do_not_change_a_database_without_tables(new_database: str, tmp_path: Path) -> None:
    if new_database.startswith("sqlite"):
        (tmp_path / "store.db").touch()
    with pytest.raises(InvalidInput, match="older version"):
        check(new_database)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be made or written"):
        migrate(f"sqlite:///{tmp_path}/none/store.db")


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://crs:canary@db.example/crs", "postgresql+asyncpg://db/crs", "x"]
)
def test_only_a_file_or_postgresql_is_a_store_and_no_message_holds_a_password(url: str) -> None:
    with pytest.raises(InvalidSettings, match="CRS_CDS_DATABASE_URL") as refused:
        Store.open(url)
    assert "canary" not in refused.value.message


# --- pseudonyms -------------------------------------------------------------------------------------------------------


def test_a_pseudonym_is_the_same_for_one_patient_of_one_client_and_another_for_all_else() -> None:
    one, other = Pseudonyms(b"k" * 32), Pseudonyms(b"j" * 32)
    assert one.patient("ehr", "p1") == Pseudonyms(b"k" * 32).patient("ehr", "p1")
    all_else = [
        one.patient("ehr", "p1"),
        one.patient("ehr", "p2"),
        one.patient("other", "p1"),
        one.patient("ehrp", "1"),
        one.encounter("ehr", "p1"),
        other.patient("ehr", "p1"),
    ]
    assert len(set(all_else)) == len(all_else)
    assert all("p1" not in pseudonym and len(pseudonym) == 64 for pseudonym in all_else)


def test_the_key_is_made_once_readable_by_its_owner_only_and_stays(tmp_path: Path) -> None:
    with ThreadPoolExecutor(AT_ONCE) as workers:
        keys = set(workers.map(key_in, [tmp_path] * AT_ONCE))
    assert keys == {key_in(tmp_path)}
    assert [file.name for file in tmp_path.iterdir()] == [KEY_FILE]
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert len(keys.pop()) == 32


def test_two_folders_have_two_keys(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    assert key_in(folders[0]) != key_in(folders[1])


@pytest.mark.parametrize("content", ["", "ab", "no key", "ab" * 31, "ab" * 33])
def test_a_key_that_was_damaged_is_refused_and_not_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / KEY_FILE).write_text(content)
    with pytest.raises(CdsError, match=KEY_FILE):
        key_in(tmp_path)
    assert (tmp_path / KEY_FILE).read_text() == content


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="cannot be read or made"):
        key_in(tmp_path / "none")
