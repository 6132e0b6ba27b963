"""The state of an installation: its folder, the database, the key of pseudonyms. Made before the service begins."""

from collections.abc import Callable
from datetime import datetime, timedelta

from cds_service.clients.smart.launches import Seal
from cds_service.errors import InvalidSettings
from cds_service.store.memory import Memory
from cds_service.store.pseudonyms import Pseudonyms, key_in
from cds_service.store.schema import migrate
from cds_service.store.store import Store
from cds_service.web.settings import Settings

CLOCKS_AGREE = timedelta(seconds=5)


def prepare_state(settings: Settings, now: datetime) -> None:
    """Make what is missing, bring the tables up to date, and remove what is kept longer than the retention at `now`.

    Raises InvalidSettings or StoreUnavailable. Once, before workers are forked.
    """
    try:
        settings.state_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidSettings(f"CRS_CDS_STATE_FOLDER {settings.state_folder}: {error.strerror}") from error
    _key(settings)
    migrate(settings.store_url)
    store = Store.open(settings.store_url)
    try:
        store.purge(now - timedelta(days=settings.retention_days))
        store.forget_tokens(now)
    finally:
        store.close()


def clock_warning(settings: Settings, now: datetime) -> str | None:
    """A sentence when the clock of the database differs from this machine's, which says `now` (T91)."""
    store = Store.open(settings.store_url)
    try:
        there = store.clock()
    finally:
        store.close()
    if there is None or abs(there - now) <= CLOCKS_AGREE:
        return None
    seconds = abs(there - now).total_seconds()
    return (
        f"the clock of this machine is {seconds:.0f} s {'ahead of' if now > there else 'behind'} that of the database:"
        " set both by the same time server, or times in answers and records are wrong"
    )


def open_memory(settings: Settings, lost: Callable[[], object]) -> Memory:
    """The memory of a process, which tells `lost` of each answer that it cannot keep. After `prepare_state`.

    Raises InvalidSettings when there is no key to read.
    """
    store, pseudonyms = Store.open(settings.store_url), Pseudonyms(_key(settings))
    return Memory(store, pseudonyms, settings.state_folder, lost, required=settings.records_required)


def launch_seal(settings: Settings) -> Seal:
    """What launches of the app are sealed with: services that share the key of pseudonyms share it too."""
    return Seal(_key(settings))


def _key(settings: Settings) -> bytes:
    if settings.pseudonym_key is not None:
        return settings.pseudonym_key.get_secret_value().encode()
    return key_in(settings.state_folder)
