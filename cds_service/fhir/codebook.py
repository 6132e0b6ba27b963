"""The value sets as readers use them: a concept in, a meaning out. Other spellings of a code system are understood."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from cds_service.crs.timeline import Cause, Flag
from cds_service.crs.valuesets import Code, Meaning, Member, Refusal, ValueSet, normalised
from cds_service.fhir.elements import (
    MODIFIED,
    Json,
    Unusable,
    codings,
    is_modified,
    member,
    name_of,
    objects,
    text,
    texts,
)

OBSERVATIONS = ("temperature", "blood-pressure", "oxygen", "weight", "laboratory", "cultures", "scores")
LOINC = "http://loinc.org"
NDC = "http://hl7.org/fhir/sid/ndc"
REMEMBERED_TEXTS = 4096
NAMELESS = "its code is in no code table, and it has no name"
_CODE = re.compile(r"[A-Za-z0-9.:/_-]{0,200}\|[A-Za-z0-9.:/_-]{1,64}", re.ASCII)
_PACKAGE = re.compile(r"0?(\d{4})-?(\d{4})-?\d{2}", re.ASCII)
"""A National Drug Code of a labeller with four digits: labeller, product, package."""
READING_HINT = re.compile(
    r"(?<![a-z0-9])(temp|temps|tmax|temperature|bp|abp|nibp|sbp|blood pressure|o2|sats?|spo2|oxygen|fio2|lpm|"
    r"weight|wt|vasopressors?|pressors?|norepinephrine|epinephrine|vasopressin|phenylephrine|dopamine)(?![a-z0-9])"
)
"""Words that a reading of the patient may bear and that alone do not say which reading it is (T69)."""
DRUG_HINT = re.compile(r"(?<![a-z0-9])(vaso)?(pressors?|active)(?![a-z0-9])")
"""The same for a drug."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a concept stands for; `by_name` when no code says so."""

    meaning: Meaning
    by_name: bool

    @property
    def flags(self) -> tuple[Flag, ...]:
        """What is to be known of it."""
        return (Flag.NAME_ONLY,) if self.by_name else ()


@dataclass(frozen=True)
class Codebook:
    """The value sets by name, and other URIs of their code systems."""

    value_sets: Mapping[str, ValueSet]
    aliases: Mapping[str, str]

    def find(self, name: str, concept: Any) -> Found | None:
        """What a concept is in a value set: by code, else by word. Raises Unusable when the set refuses it.

        Words that refuse also count beside a code: epinephrine is no infusion when its text says EpiPen.
        """
        value_set = self.value_sets[name]
        coded = value_set.coded(self.pairs(concept))
        named = value_set.named(texts(concept), beside_code=coded is not None)
        for found in (coded, named):
            if isinstance(found, Refusal):
                raise Unusable(found.reason)
        meaning = coded or named
        return Found(meaning, by_name=coded is None) if isinstance(meaning, Meaning) else None

    def pairs(self, concept: Any) -> list[tuple[str, str]]:
        """`(system, code)` pairs with the usual URI of each system; of a package of a drug also its product."""
        pairs = [(self.aliases.get(system, system), code) for system, code in codings(concept)]
        packages = [_PACKAGE.fullmatch(code) for system, code in pairs if system == NDC]
        pairs.extend((NDC, f"{package[1]}-{package[2]}") for package in packages if package)
        return pairs

    def observation(self, concept: Any) -> tuple[str, Member, bool] | None:
        """What an Observation or component is about: value set, member, and whether only its words say so.

        A LOINC code that no table knows is definite: then words do not make it a reading. Raises Unusable for it.
        """
        pairs = self.pairs(concept)
        known = [self._observation_codes[pair] for pair in pairs if pair in self._observation_codes]
        for name, found in known:
            if isinstance(found, Refusal):
                return name, found, False
        if known:
            return (*known[0], False)
        unknown = next((code for system, code in pairs if system == LOINC), None)
        for words in texts(concept):
            worded = self._observation_word(words)
            if worded is not None and unknown is not None:
                reason = f"the code {text(unknown)} is not in the code tables"
                raise Unusable(reason, Cause.UNRECOGNISED, f"{LOINC}|{text(unknown)}")
            if worded is not None:
                return (*worded, True)
        return None

    def unrecognised(self, concept: Any, hint: re.Pattern[str]) -> Unusable | None:
        """What no table knows and may matter all the same: a code without a name, or a name with the hint (T69)."""
        pairs, named = self.pairs(concept), texts(concept)
        if any(system == LOINC for system, _ in pairs) or not (pairs or named):
            return None
        if not named:
            return Unusable(NAMELESS, Cause.UNRECOGNISED, _token(pairs))
        if not any(hint.search(normalised(words)) for words in named):
            return None
        reason = f"'{name_of(concept)}' is not recognised: it may matter"
        return Unusable(reason, Cause.UNRECOGNISED, _token(pairs))

    @cached_property
    def _observation_codes(self) -> Mapping[tuple[str, str], tuple[str, Member]]:
        known: dict[tuple[str, str], tuple[str, Member]] = {}
        for name in (*OBSERVATIONS, "vasoactives"):
            for pair, found in self.value_sets[name].by_code.items():
                known.setdefault(pair, (name, found))
        return known

    @cached_property
    def _observation_word(self) -> Any:
        @lru_cache(maxsize=REMEMBERED_TEXTS)
        def find(words: str) -> tuple[str, Member] | None:
            for name in OBSERVATIONS:
                found = self.value_sets[name].worded(words)
                if found is not None:
                    return name, found
            drug = self.value_sets["vasoactives"].named([words], beside_code=False)
            return None if drug is None else ("vasoactives", drug)

        return find

    def codes(self, name: str) -> tuple[Code, ...]:
        """All codes of a value set, for a query."""
        return self.value_sets[name].codes


def _token(pairs: Sequence[tuple[str, str]]) -> str:
    """The first code as `system|code`; empty without one, or where it could be anything but a code."""
    token = "|".join(pairs[0]) if pairs else ""
    return token if _CODE.fullmatch(token) else ""


def medication(resource: Json, medications: Mapping[str, Json]) -> Json:
    """The medication of an administration or request as a CodeableConcept.

    Looks at `medicationCodeableConcept`, then the reference: contained, in the data at hand, else its display.
    """
    concept = resource.get("medicationCodeableConcept")
    if isinstance(concept, dict):
        return concept
    reference = resource.get("medicationReference")
    target = member(reference, "reference")
    display = text(member(reference, "display"))
    found: Any = None
    if isinstance(target, str) and target.startswith("#"):
        found = next((item for item in objects(resource.get("contained")) if item.get("id") == target[1:]), None)
    elif isinstance(target, str):
        found = medications.get(medication_key(target))
    if isinstance(found, dict) and is_modified(found):
        raise Unusable(f"its medication: {MODIFIED}")
    code = member(found, "code")
    if isinstance(code, dict):
        return {**code, "text": code.get("text") or display}
    return {"text": display} if display else {}


def medication_key(reference: str) -> str:
    """The last two steps of a reference, `Medication/123`, version left out; a urn is one step."""
    return "/".join(reference.split("/_history/", 1)[0].rstrip("/").split("/")[-2:])
