"""What the service says of itself, from `cards/about.toml`: source attributes, intended use, limits."""

from collections.abc import Iterator
from datetime import date
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from cds_service.content.figures import Strict

Said = Annotated[str, StringConstraints(min_length=2)]
AllSaid = Annotated[list[Said], Field(min_length=1)]


class CitationEntry(Strict):
    """A source beside the protocol and the scale, which cite themselves."""

    cited_for: Said
    text: Said


class ArticleTable(Strict):
    """How far the text that the protocol follows has been reviewed."""

    status: Said
    note: Said


class UseEntry(Strict):
    """Whether a kind of patient data is read, and what for."""

    used: bool
    how: Said


class DataUseTable(Strict):
    """The kinds of patient data that certification asks about (45 CFR 170.315(b)(11), evidence-based), in its order."""

    race: UseEntry
    ethnicity: UseEntry
    language: UseEntry
    sexual_orientation: UseEntry
    gender_identity: UseEntry
    sex: UseEntry
    date_of_birth: UseEntry
    social_determinants_of_health: UseEntry
    health_status_assessments: UseEntry

    def entries(self) -> Iterator[tuple[str, UseEntry]]:
        """Each kind of data in words, with its use."""
        return ((name.replace("_", " "), getattr(self, name)) for name in type(self).model_fields)


class DepartureEntry(Strict):
    """Where the article is not followed to the letter or is silent: what it says, what is done, why, by rule."""

    rules: AllSaid
    literal: Said
    instead: Said
    why: Said


class AboutFile(Strict):
    """The layout of `cards/about.toml`."""

    name: Said
    developer: Said
    funding: Said
    released: date
    revised: date
    intended_use: Said
    boundary: AllSaid
    unconfirmed: AllSaid
    article: ArticleTable
    citation: Annotated[list[CitationEntry], Field(min_length=1)]
    data_use: DataUseTable
    departure: Annotated[list[DepartureEntry], Field(min_length=1)]

    @model_validator(mode="after")
    def _in_order(self) -> "AboutFile":
        if self.revised < self.released:
            raise ValueError(f"revised {self.revised} is before released {self.released}")
        return self
