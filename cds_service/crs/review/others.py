"""Orders of other drugs that matter in CRS: antipyretics, GM-CSF, and the therapies themselves."""

from cds_service.crs.assessment import Criterion, State
from cds_service.crs.protocol import Protocol
from cds_service.crs.review.remarks import Review, Severity, remark
from cds_service.crs.sentences import Say
from cds_service.crs.session import SessionOrder
from cds_service.crs.treatment import Patient, hours


def antipyretic(patient: Patient, order: SessionOrder) -> Review | None:
    """An antipyretic on a fever that nobody has graded yet: it will mask the fever (S-MGT-1a)."""
    fever = patient.assessment.finding(Criterion.FEVER)
    charted = patient.course.charted_grade
    graded = charted is not None and patient.assessment.as_of - charted.time <= patient.protocol.regrade
    if fever.state is not State.MET or graded or not patient.grade:
        return None
    return Review(order=order, remarks=(remark(Severity.INFO, Say.ORDER_MASKS, {"grade": patient.grade}),))


def gm_csf(order: SessionOrder) -> Review:
    """GM-CSF is not for CRS (N-18)."""
    return Review(order=order, remarks=(remark(Severity.WARNING, Say.ORDER_GM_CSF),))


def therapy(patient: Patient | None, order: SessionOrder, protocol: Protocol) -> Review:
    """A T-cell engaging therapy: what must be ready; while CRS goes on, that the next dose waits."""
    values = {"name": order.name, "interval": hours(protocol.minimum_interval), "years": protocol.ice_from_years}
    ready = remark(Severity.INFO, Say.ORDER_READY, values)
    if patient is None or not patient.grade:
        return Review(order=order, remarks=(ready,))
    held = remark(Severity.WARNING, Say.ORDER_DURING_CRS, {"grade": patient.grade})
    return Review(order=order, remarks=(held, ready))
