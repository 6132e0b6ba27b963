"""The review of an ordering session: each order that is looked at, by what it is."""

from cds_service.crs.assessment import Assessment, Status
from cds_service.crs.course import IL6_BLOCKER, course_of
from cds_service.crs.protocol import Protocol
from cds_service.crs.regimen import CORTICOSTEROID
from cds_service.crs.review import corticosteroids, others, tocilizumab
from cds_service.crs.review.remarks import Review
from cds_service.crs.scale import Scale
from cds_service.crs.session import Session, SessionOrder
from cds_service.crs.timeline import Timeline
from cds_service.crs.treatment import Patient


def review(
    timeline: Timeline, assessment: Assessment, scale: Scale, protocol: Protocol, session: Session
) -> tuple[Review, ...]:
    """What is to be said of the orders of a session. The orders of the timeline are those of the record alone.

    For a patient without a T-cell engaging therapy only such a therapy itself is looked at: tocilizumab for an
    arthritis is no concern of this protocol.
    """
    patient = None
    if assessment.status is not Status.NOT_ELIGIBLE:
        course = course_of(timeline, assessment, scale, protocol)
        patient = Patient(timeline=timeline, assessment=assessment, course=course, protocol=protocol, scale=scale)
    reviews = (_of(patient, order, session, protocol) for order in session.reviewed)
    return tuple(found for found in reviews if found is not None)


def _of(patient: Patient | None, order: SessionOrder, session: Session, protocol: Protocol) -> Review | None:
    if order.kind == "therapy":
        return others.therapy(patient, order, protocol)
    if patient is None:
        return None
    if order.group == IL6_BLOCKER:
        return tocilizumab.review(patient, order, session)
    if order.group == CORTICOSTEROID:
        return corticosteroids.review(patient, order, session)
    if order.group == "antipyretic":
        return others.antipyretic(patient, order)
    return others.gm_csf(order) if order.group == "gm-csf" else None
