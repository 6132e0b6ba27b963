"""Knowledge put together once at start: content, codebook, the table of needs, the words."""

from dataclasses import dataclass
from datetime import tzinfo

from cds_service.content.clients import ClientProfile
from cds_service.content.load import Content
from cds_service.fhir.codebook import Codebook
from cds_service.fhir.needs import Need, needs
from cds_service.hooks.course_link import CourseApp
from cds_service.hooks.wording import Wording


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What every answer is made with.

    `profile` is what the client accepts, `zone` is the site's time zone, `about_url` says where the sources are told.
    `course` is the app that grade cards link to.
    """

    content: Content
    codebook: Codebook
    needs: tuple[Need, ...]
    wording: Wording
    zone: tzinfo
    profile: ClientProfile
    about_url: str | None = None
    course: CourseApp | None = None

    @classmethod
    def of(cls, content: Content, zone: tzinfo, profile: str = "generic", about_url: str | None = None) -> "Knowledge":
        """Knowledge from checked content."""
        codebook = Codebook(value_sets=content.value_sets, aliases=content.system_aliases)
        return cls(
            content=content,
            codebook=codebook,
            needs=needs(codebook),
            wording=Wording(content.sentences, content.templates),
            zone=zone,
            profile=content.clients[profile],
            about_url=about_url,
        )
