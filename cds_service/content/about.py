"""What the service says of itself, from `cards/about.toml`: source attributes, intended use, limits."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from cds_service.content.figures import Day, Strict

Said = Annotated[str, StringConstraints(min_length=2)]
AllSaid = Annotated[list[Said], Field(min_length=1)]


class CitationEntry(Strict):
    """A source beside the protocol and the scale, which cite themselves."""

    cited_for: Said = Field(description="What it is cited for")
    text: Said = Field(description="The citation")


class ArticleTable(Strict):
    """How far the text that the protocol follows has been reviewed."""

    status: Said = Field(description="Status of the text, as its publisher gives it")
    note: Said = Field(description="What that means for a reader")


class UseEntry(Strict):
    """Whether a kind of patient data is read, and what for."""

    used: bool = Field(description="Whether it is read")
    how: Said = Field(description="What for, or that it is not read")


class DataUseTable(Strict):
    """The kinds of patient data that certification asks about (45 CFR 170.315(b)(11), evidence-based), in its order."""

    race: UseEntry = Field(description="Use of race")
    ethnicity: UseEntry = Field(description="Use of ethnicity")
    language: UseEntry = Field(description="Use of language")
    sexual_orientation: UseEntry = Field(description="Use of sexual orientation")
    gender_identity: UseEntry = Field(description="Use of gender identity")
    sex: UseEntry = Field(description="Use of sex")
    date_of_birth: UseEntry = Field(description="Use of date of birth")
    social_determinants_of_health: UseEntry = Field(description="Use of social determinants of health")
    health_status_assessments: UseEntry = Field(description="Use of health status assessments")

    def entries(self) -> Iterator[tuple[str, UseEntry]]:
        """Each kind of data in words, with its use."""
        return ((name.replace("_", " "), getattr(self, name)) for name in type(self).model_fields)


class DepartureEntry(Strict):
    """Where the article is not followed to the letter or is silent: what it says, what is done, why, by rule."""

    rules: AllSaid = Field(description="IDs of the rules")
    literal: Said = Field(description="What the text says")
    instead: Said = Field(description="What the service does")
    why: Said = Field(description="Why")


class AboutFile(Strict):
    """What the service says of itself: `cards/about.toml`."""

    name: Said = Field(description="Name of the service")
    developer: Said = Field(description="Who develops it")
    funding: Said = Field(description="Who pays for it")
    released: Day = Field(description="When it was first released")
    revised: Day = Field(description="When it was last revised")
    intended_use: Said = Field(description="What it is for")
    boundary: AllSaid = Field(description="What it is not and does not do")
    unconfirmed: AllSaid = Field(description="What no confirmed code or source supports")
    article: ArticleTable = Field(description="The text that the protocol follows")
    citation: list[CitationEntry] = Field(min_length=1, description="Sources beside protocol and scale")
    data_use: DataUseTable = Field(description="Which patient data it uses")
    departure: list[DepartureEntry] = Field(min_length=1, description="Where the text is not followed to the letter")

    @model_validator(mode="after")
    def _in_order(self) -> "AboutFile":
        if self.revised < self.released:
            raise ValueError(f"revised {self.revised} is before released {self.released}")
        return self
