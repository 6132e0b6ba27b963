"""The data needs: ONE table of what the rules read.

It prints the prefetch templates of discovery, it is the query when a key is absent, and it names the kinds of fact
that are not known when the data cannot be had. Only R4 search parameters and the query subset of CDS Hooks 2.0.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from urllib.parse import quote

from cds_service.crs.valuesets import Code
from cds_service.fhir.codebook import Codebook

PATIENT_TOKEN = "{{context.patientId}}"  # noqa: S105 - a prefetch token, not a secret
LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
WEEK, MONTH, SEASON = timedelta(days=7), timedelta(days=31), timedelta(days=91)
GIVEN = ("MedicationAdministration", "&_sort=-effective-time")
DONE = ("Procedure", "&_sort=-date")
PRESCRIBED = ("MedicationRequest", "&_sort=-authoredon")
OBSERVED = ("Observation", "&_sort=-date")
REPORTED = ("DiagnosticReport", "&_sort=-date")
REQUESTED = ("ServiceRequest", "&_sort=-authored")
DIAGNOSED = ("Condition", "&_sort=-recorded-date")
ALLERGIC = ("AllergyIntolerance", "")
USED = ("DeviceUseStatement", "")
"""What is asked for, the newest first where a server can sort it."""
BY_CATEGORY = ("temperatures", "pressures", "oxygen", "saturations")
"""Charted by local codes or words alone, or coded in components, these are found by category only (decision 12)."""
DECIDING = ("il6-blocker", "il6-pathway", "il1-blocker", "corticosteroid", "antipyretic")
"""Groups of drugs that decide a dose or hide fever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One query. `kinds` are the facts it supplies, `horizon` how far back they matter.

    `gate` needs are gathered first: they tell whether the patient had a T-cell engaging therapy. `part_of` names the
    need whose answer holds this one's too: the coded part is small, and complete where the whole is cut.
    """

    key: str
    resource_type: str
    parameters: str
    kinds: tuple[str, ...]
    gate: bool = False
    horizon: timedelta | None = None
    title: str = ""
    part_of: str = ""

    @property
    def lasting(self) -> bool:
        """True for resources with a duration: an older one may still be going on."""
        return self.resource_type in ("MedicationAdministration", "Procedure")

    @property
    def template(self) -> str:
        """The prefetch template, legal in CDS Hooks 2.0.1 (P-11 to P-16)."""
        if self.resource_type == "Patient":
            return f"Patient/{PATIENT_TOKEN}"
        return f"{self.resource_type}?patient={PATIENT_TOKEN}{self.parameters}"

    def path(self, patient_id: str) -> str:
        """The query relative to the FHIR base: the template with its token filled, encoded (T08)."""
        before, _, after = self.template.partition(PATIENT_TOKEN)
        return f"{before}{quote(patient_id, safe='')}{_encoded(after)}"


def needs(codebook: Codebook) -> tuple[Need, ...]:
    """All needs, the gate first. Codes come from the value sets, so a code added to `cards/` is also asked for."""
    codes = codebook.codes
    therapies, infusions = _of(codes("therapies"), RXNORM), _of(codes("vasoactives"), RXNORM)
    deciding = (*infusions, *_of(_deciding(codebook), RXNORM))
    results = (*codes("laboratory"), *_of(codes("cultures"), LOINC))
    reports = _of((*codes("laboratory"), *codes("cultures")), LOINC)
    return (
        _need("therapies", GIVEN, 50, SEASON, ("therapies",), therapies, gate=True, part_of="administrations"),
        _need("administrations", GIVEN, 200, MONTH, ("therapies", "drugs", "vasoactives"), gate=True),
        _need("procedures", DONE, 100, SEASON, ("therapies", "oxygen", "cultures"), gate=True),
        _need("medicationRequests", PRESCRIBED, 200, SEASON, ("therapies", "orders"), gate=True),
        Need(key="patient", title=TITLES["patient"], resource_type="Patient", parameters="", kinds=("birth_date",)),
        _need("temperature", OBSERVED, 200, MONTH, ("temperatures",), codes("temperature")),
        _need("bloodPressure", OBSERVED, 200, MONTH, ("pressures",), codes("blood-pressure")),
        _need("oxygen", OBSERVED, 200, MONTH, ("oxygen", "saturations"), codes("oxygen")),
        _need("vitalSigns", OBSERVED, 200, WEEK, BY_CATEGORY, category="vital-signs"),
        _need("weight", OBSERVED, 20, MONTH, ("weights",), codes("weight")),
        _need("infusionRates", OBSERVED, 100, WEEK, ("vasoactives",), infusions),
        _need("laboratory", OBSERVED, 100, WEEK, ("labs", "cultures"), results),
        _need("scores", OBSERVED, 50, MONTH, ("scores",), codes("scores")),
        _need("crsMedications", GIVEN, 200, MONTH, ("vasoactives", "drugs"), deciding, part_of="administrations"),
        _need("reports", REPORTED, 50, WEEK, ("labs", "cultures"), reports),
        _need("cultureOrders", REQUESTED, 20, WEEK, ("cultures",), codes("cultures")),
        _need("conditions", DIAGNOSED, 200, None, ("diagnoses",)),
        _need("allergies", ALLERGIC, 100, None, ("allergies",)),
        _need("homeDevices", USED, 50, None, ("diagnoses",)),
    )


TITLES = {
    "therapies": "T-cell engaging therapies given",
    "administrations": "medications given",
    "procedures": "procedures",
    "medicationRequests": "medication orders",
    "patient": "the patient",
    "temperature": "temperature",
    "bloodPressure": "blood pressure",
    "oxygen": "oxygen saturation and support",
    "vitalSigns": "vital signs without a code of their own",
    "weight": "body weight",
    "infusionRates": "vasopressor rates charted as observations",
    "laboratory": "laboratory results and blood cultures",
    "scores": "ICE, CAPD and CRS grade",
    "crsMedications": "vasopressors, anticytokines, corticosteroids and antipyretics given",
    "reports": "laboratory and culture reports",
    "cultureOrders": "blood culture orders",
    "conditions": "diagnoses",
    "allergies": "allergies",
    "homeDevices": "devices used at home",
}
"""What is asked for, in words, by the key of the need."""


def _need(
    key: str,
    asked: tuple[str, str],
    count: int,
    horizon: timedelta | None,
    kinds: tuple[str, ...],
    codes: Sequence[Code] = (),
    *,
    category: str = "",
    gate: bool = False,
    part_of: str = "",
) -> Need:
    """A need as a row of the table: a type with its order, the newest `count` a page, for codes or a category."""
    resource_type, newest_first = asked
    parameters = (_coded(codes), category and f"&category={category}", newest_first, f"&_count={count}")
    return Need(
        key=key,
        title=TITLES[key],
        resource_type=resource_type,
        parameters="".join(parameters),
        kinds=kinds,
        gate=gate,
        horizon=horizon,
        part_of=part_of,
    )


@lru_cache
def _encoded(parameters: str) -> str:
    return quote(parameters, safe="!$&'()*+,/:;=?@~")


def _of(codes: Sequence[Code], system: str) -> tuple[Code, ...]:
    return tuple(code for code in codes if code.system == system)


def _coded(codes: Sequence[Code]) -> str:
    """`&code=` with each token once, in the plain form of the specification: whoever sends it encodes it."""
    tokens = dict.fromkeys(f"{code.system}|{code.code}" for code in codes)
    return "&code=" + ",".join(tokens) if tokens else ""


def _deciding(codebook: Codebook) -> tuple[Code, ...]:
    drugs = codebook.value_sets["drugs"].meanings
    return tuple(code for meaning in drugs if meaning.group in DECIDING for code in meaning.codes)
