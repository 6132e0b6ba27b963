"""A whole test: what is tried, in which order. Sound calls come first, so that a slow service is still judged;
what gives no answer to them is not tried further.
"""

from collections.abc import Callable, Collection

from cds_service.conformance.trial.answers import call_soundly
from cds_service.conformance.trial.browsers import call_from_browser
from cds_service.conformance.trial.conversation import Conversation, Listed
from cds_service.conformance.trial.feedback import give_feedback
from cds_service.conformance.trial.listing import discover
from cds_service.conformance.trial.prefetches import call_without_data
from cds_service.conformance.trial.refusals import call_nobody, call_wrongly
from cds_service.conformance.trial.wire import OutOfTime
from cds_service.errors import InvalidInput

Part = Callable[[Conversation, Listed], object]
OF_EACH: tuple[Part, ...] = (call_without_data, call_wrongly, give_feedback)
ONCE: tuple[Part, ...] = (call_nobody, call_from_browser)


def hold(talk: Conversation, hooks: Collection[str]) -> None:
    """Hold the conversation with the services of these hooks, or of all when none is named; `talk.results` has it.

    Raises InvalidInput when there is nothing at the address, or no service of such a hook.
    """
    services = discover(talk)
    if hooks and services:
        services = [service for service in services if service.hook in hooks]
        if not services:
            raise InvalidInput(f"{talk.base} lists no service that can be called for {', '.join(hooks)}")
    try:
        sound = [service for service in services if call_soundly(talk, service) is not None]
        for part in OF_EACH:
            for service in sound:
                part(talk, service)
        for part in ONCE:
            for service in services[:1]:
                part(talk, service)
    except OutOfTime as over:
        talk.results.note(f"not everything was tried: {over}")
    if services and not talk.results.has_met("card"):
        talk.results.note("no card came, so none was judged: name a patient with one by --patient and --fhir")
