"""What the routes are wired with: who may call, how FHIR servers are reached for them, and where the app is known."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from typing import Any, TypeVar

from cds_service.clients.admission import Admission
from cds_service.clients.key_sets import MAXIMUM_BYTES, READ_SECONDS
from cds_service.clients.smart.registrations import Registration
from cds_service.clients.switches import Switches
from cds_service.clients.trusted import TrustedClient
from cds_service.fhir.client import Connections, read_document
from cds_service.fhir.watch import Watch
from cds_service.hooks.evaluate import Access
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.remembering import Caller
from cds_service.store.records import CANARY_CLIENT
from cds_service.web.observing import Observer
from cds_service.web.settings import Settings
from cds_service.web.smart.app import SmartApp, course_app, smart_app
from cds_service.web.state import launch_seal

_Result = TypeVar("_Result")


def callers_of(clients: Sequence[TrustedClient], unchecked: Caller) -> Mapping[str, Caller]:
    """All that may call, by the id of their client: the trusted ones, and those of a service that checks nobody."""
    known = [unchecked, replace(unchecked, client=CANARY_CLIENT), *(_caller(client, unchecked) for client in clients)]
    return {each.client: each for each in known}


def _caller(client: TrustedClient, unchecked: Caller) -> Caller:
    """What the calls of a trusted client may do: its FHIR servers and no others, and its form of answers."""
    known = unchecked.knowledge
    profile = known.profile if client.profile is None else known.content.clients[client.profile]
    return replace(
        unchecked,
        client=client.id,
        knowledge=replace(known, profile=profile),
        access=replace(unchecked.access, allow_list=client.fhir_servers),
        services_off=unchecked.services_off | client.services_off,
    )


def token_admission(
    settings: Settings, clients: Sequence[TrustedClient], unchecked: Caller, observer: Observer
) -> Admission:
    """What stands between a token and its client: keys are read by the connections of FHIR queries."""

    def read(client: TrustedClient) -> bytes:
        connections = unchecked.access.connections
        return read_document(str(client.jku), client.jku_networks, connections, READ_SECONDS, MAXIMUM_BYTES)

    use_once = unchecked.memory.store.use_once
    pace, fail_open = settings.calls_per_minute, settings.jti_fail_open
    return Admission(clients, read, use_once, pace, observer.saw_token, fail_open=fail_open)


def linked(knowledge: Knowledge, settings: Settings, registrations: Sequence[Registration]) -> Knowledge:
    """Knowledge by which cards link to the app, at the EHRs where it is registered."""
    if settings.public_url is None or not registrations:
        return knowledge
    return replace(knowledge, course=course_app(settings.public_url, registrations))


def launched(
    settings: Settings, registrations: Sequence[Registration], caller: Caller, switches: Switches
) -> SmartApp | None:
    """The app, None where it is registered nowhere."""
    if settings.public_url is None or not registrations:
        return None
    pace, seal = settings.calls_per_minute, launch_seal(settings)
    return smart_app(settings.public_url, registrations, pace, seal, caller, switches)


def fhir_access(settings: Settings, threads: int, watch: Watch) -> Access:
    """One pool of connections and threads for all requests."""
    return Access(
        connections=Connections(settings.ca_bundle),
        executor=_Pool(max_workers=threads, thread_name_prefix="fhir"),
        allow_list=settings.fhir_servers,
        deadline_seconds=settings.deadline_seconds,
        one_phase=settings.one_phase,
        watch=watch,
    )


class _Pool(ThreadPoolExecutor):
    """Threads that know for which request they work: its id stands in their log lines, its span in their traces."""

    def submit(self, work: Callable[..., _Result], /, *given: Any, **named: Any) -> Future[_Result]:
        return super().submit(copy_context().run, work, *given, **named)
