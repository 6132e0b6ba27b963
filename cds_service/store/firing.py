"""Firing rates: how often services answer, and with a card."""

from datetime import datetime

from sqlalchemy import Engine, and_, func, select

from cds_service.store.database import connected
from cds_service.store.records import NOT_ELIGIBLE, Firing, Outcome
from cds_service.store.tables import answers


def firing(engine: Engine, since: datetime) -> list[Firing]:
    """How often each service answered each client since an instant, for patients who are eligible, and with a card."""
    eligible = answers.c.status != NOT_ELIGIBLE  # not so where there is no status
    shown = and_(eligible, answers.c.outcome == Outcome.GRADED.value)
    counts = (func.count(), func.count().filter(eligible), func.count().filter(shown))
    names = (answers.c.service, answers.c.client)
    query = select(*names, *counts).where(answers.c.at >= since).group_by(*names)
    with connected(engine) as connection:
        return [
            Firing(service=service, client=client, answers=number, eligible=of_them, shown=with_card)
            for service, client, number, of_them, with_card in connection.execute(query)
        ]
