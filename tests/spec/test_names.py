"""What a patient is called on a page: from whatever the record holds, and never a failure."""

from typing import Any

import pytest

from cds_service.fhir.names import name_of

OFFICIAL = {"use": "official", "family": "Amsinck-Ferro", "given": ["Leopold", "M."]}


@pytest.mark.parametrize(
    ("patient", "expected"),
    [
        ({"name": [OFFICIAL], "birthDate": "1962-08-14"}, "Leopold M. Amsinck-Ferro, born 1962-08-14"),
        ({"name": [{"use": "nickname", "text": "Leo"}, OFFICIAL]}, "Leopold M. Amsinck-Ferro"),
        ({"name": [{"use": "usual", "text": "L. Amsinck"}, {"use": "old", "family": "Ferro"}]}, "L. Amsinck"),
        ({"name": [{"text": "  Leopold\n\u202eFerro "}]}, "Leopold Ferro"),
        ({"name": {"family": "Ferro"}}, "Ferro"),
        ({"name": [{"given": ["Leopold"]}]}, "Leopold"),
        ({"name": [{"given": "Leopold", "family": 7}]}, ""),
        ({"name": ["Ferro"], "birthDate": 1962}, ""),
        ({"name": "Ferro"}, ""),
        ({"birthDate": "1962"}, "born 1962"),
        ({}, ""),
    ],
)
def test_a_patient_is_called_by_what_is_charted(patient: dict[str, Any], expected: str) -> None:
    assert name_of(patient) == expected
