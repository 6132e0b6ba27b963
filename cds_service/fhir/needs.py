"""The data needs: ONE table of what the rules read.

It prints the prefetch templates of discovery, it is the query when a key is absent, and it names the kinds of fact
that are not known when the data cannot be had. Only R4 search parameters and the query subset of CDS Hooks 2.0.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from cds_service.crs.valuesets import Code
from cds_service.fhir.codebook import Codebook

PATIENT_TOKEN = "{{context.patientId}}"  # noqa: S105 - a prefetch token, not a secret
LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
WEEK, MONTH, SEASON = timedelta(days=7), timedelta(days=31), timedelta(days=91)
DECIDING = ("il6-blocker", "il6-pathway", "il1-blocker", "corticosteroid", "antipyretic")
"""Groups of drugs that decide a dose or hide fever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One query. `kinds` are the facts it supplies, `horizon` how far back they matter.

    `gate` needs are gathered first: they tell whether the patient had a T-cell engaging therapy. `part_of` names the
    need whose answer holds this one's too: the coded part is small, and complete where the whole is cut. A need without
    kinds only adds: charted by local codes or words alone, or coded in components, a vital sign is found by category.
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
        return self.template.replace(PATIENT_TOKEN, quote(patient_id, safe=""))


def needs(codebook: Codebook) -> tuple[Need, ...]:
    """All needs, the gate first. Codes come from the value sets, so a code added to `cards/` is also asked for."""
    return (
        Need(
            key="therapies",
            title="T-cell engaging therapies given",
            resource_type="MedicationAdministration",
            parameters=_coded(codebook.codes("therapies"), RXNORM) + "&_sort=-effective-time&_count=50",
            kinds=("therapies",),
            gate=True,
            horizon=SEASON,
            part_of="administrations",
        ),
        Need(
            key="administrations",
            title="medications given",
            resource_type="MedicationAdministration",
            parameters="&_sort=-effective-time&_count=200",
            kinds=("therapies", "drugs", "vasoactives"),
            gate=True,
            horizon=MONTH,
        ),
        Need(
            key="procedures",
            title="procedures",
            resource_type="Procedure",
            parameters="&_sort=-date&_count=100",
            kinds=("therapies", "oxygen", "cultures"),
            gate=True,
            horizon=SEASON,
        ),
        Need(
            key="medicationRequests",
            title="medication orders",
            resource_type="MedicationRequest",
            parameters="&_sort=-authoredon&_count=200",
            kinds=("therapies", "orders"),
            gate=True,
            horizon=SEASON,
        ),
        Need(key="patient", title="the patient", resource_type="Patient", parameters="", kinds=("birth_date",)),
        _observations("temperature", "temperature", codebook.codes("temperature"), 200, MONTH, ("temperatures",)),
        _observations("bloodPressure", "blood pressure", codebook.codes("blood-pressure"), 200, MONTH, ("pressures",)),
        _observations(
            "oxygen",
            "oxygen saturation and support",
            codebook.codes("oxygen"),
            200,
            MONTH,
            ("oxygen", "saturations"),
        ),
        Need(
            key="vitalSigns",
            title="vital signs without a code of their own",
            resource_type="Observation",
            parameters="&category=vital-signs&_sort=-date&_count=200",
            kinds=(),
            horizon=WEEK,
        ),
        _observations("weight", "body weight", codebook.codes("weight"), 20, MONTH, ("weights",)),
        _observations(
            "infusionRates",
            "vasopressor rates charted as observations",
            _of(codebook.codes("vasoactives"), RXNORM),
            100,
            WEEK,
            ("vasoactives",),
        ),
        _observations(
            "laboratory",
            "laboratory results and blood cultures",
            (*codebook.codes("laboratory"), *_of(codebook.codes("cultures"), LOINC)),
            100,
            WEEK,
            ("labs", "cultures"),
        ),
        _observations("scores", "ICE, CAPD and CRS grade", codebook.codes("scores"), 50, MONTH, ("scores",)),
        Need(
            key="crsMedications",
            title="vasopressors, anticytokines, corticosteroids and antipyretics given",
            resource_type="MedicationAdministration",
            parameters=_coded((*codebook.codes("vasoactives"), *_deciding(codebook)), RXNORM)
            + "&_sort=-effective-time&_count=200",
            kinds=("vasoactives", "drugs"),
            horizon=MONTH,
            part_of="administrations",
        ),
        Need(
            key="reports",
            title="laboratory and culture reports",
            resource_type="DiagnosticReport",
            parameters=_coded((*codebook.codes("laboratory"), *codebook.codes("cultures")), LOINC)
            + "&_sort=-date&_count=50",
            kinds=("labs", "cultures"),
            horizon=WEEK,
        ),
        Need(
            key="cultureOrders",
            title="blood culture orders",
            resource_type="ServiceRequest",
            parameters=_coded(codebook.codes("cultures")) + "&_sort=-authored&_count=20",
            kinds=("cultures",),
            horizon=WEEK,
        ),
        Need(
            key="conditions",
            title="diagnoses",
            resource_type="Condition",
            parameters="&_sort=-recorded-date&_count=200",
            kinds=("diagnoses",),
        ),
        Need(
            key="allergies",
            title="allergies",
            resource_type="AllergyIntolerance",
            parameters="&_count=100",
            kinds=("allergies",),
        ),
        Need(
            key="homeDevices",
            title="devices used at home",
            resource_type="DeviceUseStatement",
            parameters="&_count=50",
            kinds=("diagnoses",),
        ),
    )


def _observations(
    key: str, title: str, codes: Sequence[Code], count: int, horizon: timedelta, kinds: tuple[str, ...]
) -> Need:
    return Need(
        key=key,
        title=title,
        resource_type="Observation",
        parameters=f"{_coded(codes)}&_sort=-date&_count={count}",
        kinds=kinds,
        horizon=horizon,
    )


def _of(codes: Sequence[Code], system: str) -> tuple[Code, ...]:
    return tuple(code for code in codes if code.system == system)


def _coded(codes: Sequence[Code], system: str | None = None) -> str:
    """`&code=` with each token once, in the plain form of the specification: whoever sends it encodes it."""
    chosen = codes if system is None else _of(codes, system)
    tokens = dict.fromkeys(f"{code.system}|{code.code}" for code in chosen)
    return "&code=" + ",".join(tokens)


def _deciding(codebook: Codebook) -> tuple[Code, ...]:
    drugs = codebook.value_sets["drugs"].meanings
    return tuple(code for meaning in drugs if meaning.group in DECIDING for code in meaning.codes)
