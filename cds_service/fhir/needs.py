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


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One query. `kinds` are the facts it supplies, `horizon` how far back they matter.

    `gate` needs are gathered first: they tell whether the patient had a T-cell engaging therapy.
    """

    key: str
    resource_type: str
    parameters: str
    kinds: tuple[str, ...]
    gate: bool = False
    horizon: timedelta | None = None
    title: str = ""

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
    month = timedelta(days=31)
    season = timedelta(days=91)
    return (
        Need(
            key="therapies",
            title="T-cell engaging therapies given",
            resource_type="MedicationAdministration",
            parameters=_coded(codebook.codes("therapies"), RXNORM) + "&_sort=-effective-time&_count=50",
            kinds=("therapies",),
            gate=True,
            horizon=season,
        ),
        Need(
            key="administrations",
            title="medications given",
            resource_type="MedicationAdministration",
            parameters="&_sort=-effective-time&_count=200",
            kinds=("drugs", "vasoactives"),
            gate=True,
            horizon=month,
        ),
        Need(
            key="procedures",
            title="procedures",
            resource_type="Procedure",
            parameters="&_sort=-date&_count=100",
            kinds=("therapies",),
            gate=True,
            horizon=season,
        ),
        Need(
            key="medicationRequests",
            title="medication orders",
            resource_type="MedicationRequest",
            parameters="&_sort=-authoredon&_count=200",
            kinds=("therapies", "orders"),
            gate=True,
            horizon=season,
        ),
        Need(key="patient", title="the patient", resource_type="Patient", parameters="", kinds=("birth_date",)),
        _observations("temperature", "temperature", codebook.codes("temperature"), 200, month, ("temperatures",)),
        _observations("bloodPressure", "blood pressure", codebook.codes("blood-pressure"), 200, month, ("pressures",)),
        _observations(
            "oxygen",
            "oxygen saturation and support",
            codebook.codes("oxygen"),
            200,
            month,
            ("oxygen", "saturations"),
        ),
        _observations("weight", "body weight", codebook.codes("weight"), 20, month, ("weights",)),
        _observations(
            "infusionRates",
            "vasopressor rates charted as observations",
            _ingredients(codebook.codes("vasoactives")),
            100,
            timedelta(days=7),
            ("vasoactives",),
        ),
        _observations(
            "laboratory",
            "laboratory results and blood cultures",
            (*codebook.codes("laboratory"), *_of(codebook.codes("cultures"), LOINC)),
            100,
            timedelta(days=7),
            ("labs", "cultures"),
        ),
        _observations("scores", "ICE, CAPD and CRS grade", codebook.codes("scores"), 50, month, ("scores",)),
        Need(
            key="crsMedications",
            title="vasopressors, tocilizumab and corticosteroids given",
            resource_type="MedicationAdministration",
            parameters=_coded((*codebook.codes("vasoactives"), *_treatments(codebook)), RXNORM)
            + "&_sort=-effective-time&_count=200",
            kinds=("vasoactives", "drugs"),
            horizon=month,
        ),
        Need(
            key="reports",
            title="laboratory and culture reports",
            resource_type="DiagnosticReport",
            parameters=_coded((*codebook.codes("laboratory"), *codebook.codes("cultures")), LOINC)
            + "&_sort=-date&_count=50",
            kinds=("labs", "cultures"),
            horizon=timedelta(days=7),
        ),
        Need(
            key="cultureOrders",
            title="blood culture orders",
            resource_type="ServiceRequest",
            parameters=_coded(codebook.codes("cultures")) + "&_sort=-authored&_count=20",
            kinds=("cultures",),
            horizon=timedelta(days=7),
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


LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


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
    """`&code=` with each token once; encoded so that the template is a URL as it stands."""
    chosen = codes if system is None else _of(codes, system)
    tokens = dict.fromkeys(f"{code.system}|{code.code}" for code in chosen)
    return "&code=" + ",".join(tokens)


def _ingredients(codes: Sequence[Code]) -> tuple[Code, ...]:
    return _of(codes, RXNORM)


def _treatments(codebook: Codebook) -> tuple[Code, ...]:
    """Codes of the drugs that decide doses: tocilizumab and corticosteroids."""
    groups = ("il6-blocker", "corticosteroid")
    drugs = codebook.value_sets["drugs"].meanings
    return tuple(code for meaning in drugs if meaning.group in groups for code in meaning.codes)
