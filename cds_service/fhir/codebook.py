"""The value sets as readers use them: a concept in, a meaning out. Other spellings of a code system are understood."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from cds_service.crs.valuesets import Code, Meaning, Refusal, ValueSet
from cds_service.fhir.elements import Json, Unusable, codings, member, objects, text, texts

OBSERVATIONS = ("temperature", "blood-pressure", "oxygen", "weight", "laboratory", "cultures", "scores")
LOINC = "http://loinc.org"
REMEMBERED_TEXTS = 4096


@dataclass(frozen=True)
class Codebook:
    """The value sets by name, and other URIs of their code systems."""

    value_sets: Mapping[str, ValueSet]
    aliases: Mapping[str, str]

    def find(self, name: str, concept: Any) -> Meaning | None:
        """The meaning of a concept in a value set. Raises Unusable with the reason when the set refuses it."""
        found = self.value_sets[name].find(self.pairs(concept), texts(concept))
        if isinstance(found, Refusal):
            raise Unusable(found.reason)
        return found

    def pairs(self, concept: Any) -> list[tuple[str, str]]:
        """`(system, code)` pairs with the usual URI of each system."""
        return [(self.aliases.get(system, system), code) for system, code in codings(concept)]

    def observation(self, concept: Any) -> tuple[str, Meaning | Refusal, bool] | None:
        """What an Observation or component is about: value set, member, and whether only its words say so.

        A LOINC code that no table knows is definite: then words do not make it a reading (it is said as unused).
        """
        pairs = self.pairs(concept)
        for pair in pairs:
            known = self._observation_codes.get(pair)
            if known is not None:
                return (*known, False)
        for words in texts(concept):
            found = self._observation_word(words)
            if found is not None:
                if any(system == LOINC for system, _ in pairs):
                    code = next(code for system, code in pairs if system == LOINC)
                    return found[0], Refusal(f"the code {code} is not in the code tables"), True
                return (*found, True)
        return None

    @cached_property
    def _observation_codes(self) -> Mapping[tuple[str, str], tuple[str, Meaning | Refusal]]:
        known: dict[tuple[str, str], tuple[str, Meaning | Refusal]] = {}
        for name in (*OBSERVATIONS, "vasoactives"):
            value_set = self.value_sets[name]
            members: tuple[Meaning | Refusal, ...] = (*value_set.meanings, *value_set.refusals)
            for found in members:
                for code in found.codes:
                    known.setdefault((code.system, code.code), (name, found))
        return known

    @cached_property
    def _observation_word(self) -> Any:
        @lru_cache(maxsize=REMEMBERED_TEXTS)
        def find(words: str) -> tuple[str, Meaning | Refusal] | None:
            for name in OBSERVATIONS:
                found = self.value_sets[name].find_word(words)
                if found is not None:
                    return name, found
            return None

        return find

    def codes(self, name: str) -> tuple[Code, ...]:
        """All codes of a value set, for a query."""
        return self.value_sets[name].codes


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
    code = member(found, "code")
    if isinstance(code, dict):
        return {**code, "text": code.get("text") or display}
    return {"text": display} if display else {}


def medication_key(reference: str) -> str:
    """The last two steps of a reference, `Medication/123`, or the urn as it is; version left out."""
    plain = reference.split("/_history/", 1)[0]
    return plain if plain.startswith("urn:") else "/".join(plain.rstrip("/").split("/")[-2:])
