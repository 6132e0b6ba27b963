"""What a card advises, in a form that tells one advice from another: for knowing what was answered before."""

from collections.abc import Iterable
from hashlib import sha256

from cds_service.crs.advice import Advice
from cds_service.crs.assessment import Assessment
from cds_service.crs.sentences import Line
from cds_service.crs.treatment import Draft, Treatment
from cds_service.hooks.cards import topic_code


def offers(assessment: Assessment, advice: Advice) -> dict[str, str]:
    """By the topic of each card: its sentences and its drafts with their doses. Times in them do not count.

    A repeat that becomes due, a regrading that is overdue, a drug that was given: each is another advice.
    """
    grade = assessment.grade or 0
    treatment = advice.treatment or Treatment()
    overdue = advice.regrade is not None and advice.regrade.overdue_by is not None
    parts = {
        "grade": [*_keys(advice.care), *_keys(treatment.status), *_drafts(treatment.drafts), f"overdue {overdue}"],
        "infection": _of(advice.infection or Treatment()),
        "treatment": _of(treatment),
    }
    return {topic_code(topic, grade): _digest(words) for topic, words in parts.items()}


def _of(offered: Treatment) -> list[str]:
    return [*_keys(offered.lines), *_keys(offered.cautions), *_keys(offered.status), *_drafts(offered.drafts)]


def _keys(lines: Iterable[Line]) -> list[str]:
    return [line.say.value for line in lines]


def _drafts(drafts: Iterable[Draft]) -> list[str]:
    return [
        f"{draft.order.id} {draft.dose.mg.normalize() if draft.dose else ''} {draft.recommended}" for draft in drafts
    ]


def _digest(words: Iterable[str]) -> str:
    return sha256("\n".join(words).encode()).hexdigest()[:16]
