"""Words: record text stays text, summaries fit, every sentence is said by some patient and whole, cards are short."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cds_service.crs.assessment import Status
from cds_service.crs.sentences import Line, Say
from cds_service.crs.timeline import Gap, OxygenSaturation, OxygenSupport, Temperature
from cds_service.crs.treatment import Treatment
from cds_service.hooks.assessment_json import assessment_json
from cds_service.hooks.cards import indicator
from cds_service.hooks.summaries import treatment_summary, treatment_words
from cds_service.hooks.wording import MAXIMUM_SUMMARY, Clock, Markdown, Wording, escaped, within
from tests.bedside import (
    NOW,
    Bedside,
    ago,
    allergy,
    born,
    content,
    culture,
    dexamethasone,
    diagnosis,
    given,
    knowledge,
    lab,
    ordered,
    score,
    tocilizumab,
    weight,
)

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
CLOCK = Clock(NOW, UTC)

# --- escaping -------------------------------------------------------------------------------------------------------

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- hidden -->",
    "[click](javascript:alert(1))",
    "![x](y)",
    "**bold** __bold__ *em* _em_ ~~gone~~",
    "`code` ```fence```",
    "a | b | c",
    "&lt;b&gt; &#60; &amp;",
    "back\\slash \\* \\",
    "https://evil.example/x?y=1",
    "see www.evil.example",
    "mail a@evil.example",
    "<https://evil.example>",
    "[ref]: https://evil.example",
    "[^1] $x$ #tag !note",
]


def tokens(markdown: str) -> Iterator[Any]:
    for block in MARKDOWN.parse(markdown):
        yield block
        yield from block.children or ()


def seen(markdown: str) -> str:
    return "".join(token.content for token in tokens(markdown) if token.type in ("text", "code_inline"))


@pytest.mark.parametrize("value", HOSTILE)
def test_t72_a_hostile_string_is_text_in_a_sentence_and_in_a_table(value: str) -> None:
    plain = escaped(value)
    for markdown in (f"Given: {plain} at 08:00.", f"- Given: {plain}", f"| a | b |\n|---|---|\n| x | {plain} |"):
        kinds = {token.type for token in tokens(markdown)}
        assert not kinds & {"html_block", "html_inline", "link_open", "image", "code_inline", "strong_open", "em_open"}
        assert not kinds & {"s_open", "fence"}
        assert value.replace("https://", "https: //").replace("www.", "www .").replace("a@", "a @ ") in seen(markdown)
    cells = [token for token in tokens(f"| a |\n|---|\n| {plain} |") if token.type == "td_open"]
    assert len(cells) == 1


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("one\n\n# two", "one \\# two"),
        ("one\r\n- two", "one - two"),
        ("left\u202eright\u200b", "left right "),
        ("a\u2028b\x00c", "a b c"),
    ],
)
def test_t72_line_ends_control_and_direction_signs_become_a_space(value: str, shown: str) -> None:
    assert escaped(value) == shown


@pytest.mark.parametrize("value", ["norepinephrine 0.05 µg/kg/min", "BP 112/60 mmHg", "36.8 °C", "SpO2 95 %", "3–4 L"])
def test_ordinary_words_and_numbers_stay_as_they_are(value: str) -> None:
    assert escaped(value) == value


@for_all(st.text(max_size=60))
def test_t72_nothing_that_is_escaped_makes_markup(value: str) -> None:
    kinds = {token.type for token in tokens(f"| a |\n|---|\n| x {escaped(value)} y |\n\nsaid: {escaped(value)}.")}
    allowed = {"table", "thead", "tbody", "tr", "th", "td", "paragraph"}
    assert kinds <= {f"{name}_{end}" for name in allowed for end in ("open", "close")} | {"inline", "text"}


@for_all(st.text("aAwW.@:/ -0_%°,[\n\u202e", max_size=12))
def test_t72_what_needs_no_escape_by_one_look_is_what_no_rule_changes(value: str) -> None:
    changed = re.search(r"[\\`*_\[\]<>|~#!&$]|\S@|@\S|(?i:[a-z0-9]\.[a-z]{2}|://|www\.)|  ", value)
    assert (escaped(value) == value) is (changed is None and value.isprintable())


def test_a_template_shows_a_value_as_text_and_markdown_as_markup() -> None:
    wording = Wording({}, {"t": "{{ value }} {{ ready }}"})
    assert wording.detail("t", value="<b>", ready=Markdown("**now**")) == "\\<b\\> **now**"


def test_a_phrase_is_plain_and_a_line_is_markdown() -> None:
    wording = Wording({"status-allergy": "no {{ drug }}"}, {})
    line = Line(Say.STATUS_ALLERGY, {"drug": "a|b"})
    assert wording.phrases([line], CLOCK) == ["no a|b"]
    assert wording.lines([line], CLOCK) == ["no a\\|b"]


def test_blank_lines_that_conditions_leave_behind_are_closed() -> None:
    text = "a\n\n{% if no %}\nb\n{% endif %}\n\n\nc\n"
    assert Wording({}, {"t": text}).detail("t", no=False) == "a\n\nc"


# --- summaries and times --------------------------------------------------------------------------------------------


def test_t75_a_summary_that_fits_stays_and_a_long_one_is_cut_between_words() -> None:
    assert within("  CRS  grade 2:\nSBP 85 ") == "CRS grade 2: SBP 85"
    assert within("x" * 139) == "x" * 139
    cut = within("tocilizumab 656 mg " * 20)
    assert cut.endswith(("tocilizumab…", " 656…", " mg…"))
    assert len(within("x" * 500)) == MAXIMUM_SUMMARY
    assert within("x" * 500).endswith("x…")


@for_all(st.text(max_size=400))
def test_t75_no_summary_is_longer_than_139_characters(value: str) -> None:
    assert len(within(value)) <= 139


@pytest.mark.parametrize(
    ("hours", "shown"),
    [(0, "12:00"), (12, "00:00"), (12.1, "14 Jan 23:54"), (14 * 24, "1 Jan 12:00"), (-13, "16 Jan 01:00")],
)
def test_the_day_is_shown_when_it_is_not_today(hours: float, shown: str) -> None:
    assert CLOCK(ago(hours)) == shown


def test_times_are_those_of_the_site() -> None:
    clock = Clock(NOW, ZoneInfo("America/New_York"))
    assert clock(ago(1)) == "06:00"
    assert clock(ago(8)) == "14 Jan 23:00"
    assert clock.offset == "UTC-05:00"
    assert clock.ago(ago(0.5)) == "06:30, 30 min ago"
    summer = Clock(NOW + timedelta(days=180), ZoneInfo("America/New_York"))
    assert summer.offset == "UTC-04:00"
    assert Clock(NOW, ZoneInfo("Asia/Kolkata")).offset == "UTC+05:30"
    assert CLOCK.offset == "UTC+00:00"


# --- every sentence -------------------------------------------------------------------------------------------------


def on(device: str, flow: str) -> dict[str, tuple[Any, ...]]:
    support = OxygenSupport(time=ago(0), reference="Observation/o2", device=device, flow=Decimal(flow))
    return {"oxygen": (support,)}


LOW = {"saturations": (OxygenSaturation(time=ago(0), reference="Observation/s", percent=Decimal(86)),)}
HOT = {"temperatures": (Temperature(time=ago(3), reference="Observation/hot", celsius=Decimal("39.1")),)}
NEGATIVE = [culture("negative", 3)]
GONE = Gap("the FHIR server did not answer")

WITH_ANTIBIOTIC = replace(content().protocol, infection_orders=("blood-cultures", "dexamethasone-10"))
"""An order with a dose and an interval stands for an antibiotic: what is tested here are the words."""

PATIENTS = {
    "first grade 1": Bedside(phases=[(5, 1)], scores=[]),
    "long fever": Bedside(phases=[(80, 1)], therapy_days=6),
    "first grade 2": Bedside(scores=[score("9", 1)]),
    "first grade 3": Bedside(phases=[(5, 3)], product="teclistamab", window="step-up", therapy_days=1),
    "first grade 4": Bedside(phases=[(5, 4)], product="blinatumomab", window="blinatumomab", therapy_days=1),
    "six litres": Bedside(
        phases=[(5, 1)], product="mosunetuzumab", window="step-up", more=on("nasal-cannula", "6"), therapy_days=1
    ),
    "no oxygen yet": Bedside(phases=[(5, 1)], more=LOW, weights=[weight("70", 9)]),
    "one low pressure": Bedside(phases=[(20, 1), (3, 2), (2, 1)]),
    "masked": Bedside(phases=[(20, 0), (6, 3)], fever="36.9", drugs=[given("acetaminophen", 5)]),
    "no weight": Bedside(weights=[]),
    "allergies": Bedside(phases=[(5, 3)], allergies=[allergy("tocilizumab"), allergy("dexamethasone")]),
    "drugs unread": Bedside(phases=[(5, 3)], gaps={"drugs": GONE}),
    "drugs partly read": Bedside(gaps={"drugs": Gap("only one page was prefetched", ago(100))}),
    "allergies unread": Bedside(gaps={"allergies": GONE, "orders": GONE, "cultures": GONE}),
    "too early": Bedside(phases=[(20, 2), (2, 3)], drugs=tocilizumab(5)),
    "waiting": Bedside(phases=[(20, 3)], drugs=tocilizumab(10), cultures=[culture("positive", 3)]),
    "waiting, unclear": Bedside(phases=[(20, 2)], drugs=tocilizumab(30)),
    "worse": Bedside(phases=[(20, 2), (2, 3)], drugs=tocilizumab(10)),
    "worse by a new sign": Bedside(phases=[(20, 2)], drugs=tocilizumab(10), more=on("nasal-cannula", "2")),
    "prophylaxis": Bedside(phases=[(60, 0), (6, 3)], drugs=tocilizumab(30)),
    "better": Bedside(phases=[(30, 3), (8, 1)], drugs=tocilizumab(20)),
    "better, grade 2": Bedside(phases=[(40, 3), (12, 2)], drugs=tocilizumab(30)),
    "second dose": Bedside(phases=[(90, 2)], drugs=tocilizumab(74), cultures=NEGATIVE, therapy_days=6),
    "second dose, conditions": Bedside(
        phases=[(60, 2)],
        drugs=tocilizumab(74),
        cultures=[culture("negative", 9), culture("drawn", 3)],
        therapy_days=6,
        scores=[],
    ),
    "infection": Bedside(phases=[(90, 2)], drugs=tocilizumab(74), therapy_days=6, cultures=[culture("ordered", 3)]),
    "icans": Bedside(phases=[(90, 2)], drugs=tocilizumab(74), therapy_days=6, scores=[score("6", 20)]),
    "icans, coded": Bedside(diagnoses=[diagnosis("icans", 3, "ICANS, grade 2")]),
    "limit": Bedside(phases=[(150, 2)], drugs=tocilizumab(145, 73), therapy_days=8),
    "label limit": Bedside(
        phases=[(300, 2), (250, 0), (20, 2)], drugs=tocilizumab(290, 281, 272, 263), therapy_days=14
    ),
    "ordered": Bedside(phases=[(5, 3)], orders=[ordered("tocilizumab", 1, "il6-blocker")]),
    "steroid running": Bedside(phases=[(5, 4)], drugs=[given("dexamethasone", 3), given("cefepime", 3)]),
    "premedication": Bedside(phases=[(24, 0), (3, 3)], drugs=dexamethasone("16", 9)),
    "steroid ordered": Bedside(phases=[(5, 3)], orders=[ordered("dexamethasone", 1, "corticosteroid", mg="10")]),
    "steroid, worse": Bedside(phases=[(20, 2), (8, 3)], drugs=[*tocilizumab(16), *dexamethasone("10", 10, 4)]),
    "steroid, not better": Bedside(phases=[(50, 4)], drugs=[*tocilizumab(40), *dexamethasone("20", 40, 20, 4)]),
    "steroid, not known": Bedside(
        phases=[(30, 4)], scores=[], drugs=dexamethasone("20", 35, 20, 4), therapy_days=1.2, gaps={"scores": GONE}
    ),
    "steroids, two ordered": Bedside(
        phases=[(5, 4)],
        orders=[ordered(agent, 1, "corticosteroid", mg="20") for agent in ("dexamethasone", "methylprednisolone")],
    ),
    "hot after tocilizumab, laboratory": Bedside(
        phases=[(50, 1)],
        drugs=[*tocilizumab(26), given("acetaminophen", 2)],
        labs=[lab("alt", 3, "300"), lab("platelets", 3, "40000"), lab("crp", 3)],
        diagnoses=[diagnosis("hlh", 5)],
    ),
    "laboratory": Bedside(
        phases=[(5, 2)],
        labs=[lab("neutrophils", 3, "800"), lab("alt", 3, "300"), lab("ast", 3, "250", upper="40")],
    ),
    "charted higher": Bedside(phases=[(30, 3), (8, 1)], scores=[score("3", 13, "crs-grade")]),
    "child": Bedside(phases=[(5, 3)], birth_date=born(6), weights=[weight("29", 4)], scores=[]),
    "no age": Bedside(phases=[(5, 3)], birth_date=None, weights=[], scores=[]),
    "late": Bedside(therapy_days=41, diagnoses=[diagnosis("crs", 20)]),
    "reopened": Bedside(phases=[(300, 3), (250, 0), (20, 2)], drugs=tocilizumab(290), therapy_days=14),
    "early and hot": Bedside(therapy_days=1, more=HOT),
    "no fever": Bedside(fever="37.4"),
    "fever unread": Bedside(fever="37.4", gaps={"temperatures": GONE}),
    "an antibiotic of the hospital": Bedside(phases=[(5, 1)], protocol=WITH_ANTIBIOTIC),
    "everything done": Bedside(
        cultures=[culture("drawn", 3)],
        drugs=[given("cefepime", 3)],
        labs=[lab(test, 3) for test in content().protocol.baseline_labs],
    ),
}


@pytest.fixture(params=list(PATIENTS))
def bedside(request: pytest.FixtureRequest) -> Bedside:
    return PATIENTS[request.param]


def test_every_sentence_is_said_by_some_patient() -> None:
    of_the_chart = {say for say in Say if not say.startswith("order-")}
    assert set().union(*(patient.says for patient in PATIENTS.values())) == of_the_chart


def test_every_sentence_is_whole(bedside: Bedside) -> None:
    wording = knowledge().wording
    status = [line for line in bedside.lines if line.say.startswith("status-")]
    for words in wording.phrases(status, CLOCK):
        assert words
        assert not words.endswith(".")
        assert not re.search(r"None|  |\{|\\", words)
    for line in wording.lines([line for line in bedside.lines if line not in status], CLOCK):
        assert re.match(r"(\*\*)?[A-Z0-9]", line)
        assert line.rstrip("*").endswith(".")
        assert not re.search(r"None|  |\{\{|True|False|\.\.|,,", line)


def test_no_summary_is_cut_and_each_begins_with_the_grade(bedside: Bedside) -> None:
    for card in bedside.cards:
        assert "…" not in card["summary"]
        assert len(card["summary"]) < 140
        if bedside.assessment.grade:
            assert card["summary"].startswith(f"CRS grade {bedside.assessment.grade}")


def test_a_drug_is_offered_and_never_commanded(bedside: Bedside) -> None:
    for line in knowledge().wording.lines(bedside.lines, CLOCK):
        if re.search(r"mg/kg ×|mg IV every", line):
            assert re.search(r"[Cc]onsider|The protocol's dose at this grade is", line), line


def test_every_card_with_a_grade_says_that_sepsis_cannot_be_told_apart(bedside: Bedside) -> None:
    if bedside.assessment.grade:
        assert all("CRS cannot be told from sepsis: treat both" in card["detail"] for card in bedside.cards)


def test_no_card_says_a_sentence_twice(bedside: Bedside) -> None:
    for card in bedside.cards:
        sentences = re.split(r"(?<=\.)\s+|\n", card["detail"])
        long = [words for words in sentences if len(words) > 30]
        assert len(long) == len(set(long))


def test_a_card_can_be_read_in_a_minute(bedside: Bedside) -> None:
    for card in bedside.cards:
        assert len(card["detail"]) < 2200
        assert len([line for line in card["detail"].splitlines() if line.startswith("- ")]) <= 9


# --- the grade card -------------------------------------------------------------------------------------------------


def test_the_card_of_day_two_says_in_the_first_lines_what_was_given_and_when_the_next_dose_is_possible() -> None:
    bedside = Bedside(phases=[(20, 3)], drugs=[*tocilizumab(10), given("dexamethasone", 4)], therapy_days=2)
    grade, _, treatment = bedside.cards
    after_table = grade["detail"].split("\n\n")[1]
    phrase = "ocilizumab 10 h ago, no repeat yet (label: since 10:00, protocol: 18 Jan 02:00); on dexamethasone"
    assert phrase in after_table
    assert phrase in treatment["summary"]
    first, second, *_ = treatment["detail"].splitlines()
    assert first.startswith("- **Not better since the last dose** (grade 3 then, 3 now). No repeat dose is drafted yet")
    assert second.startswith("- Given: tocilizumab 640 mg at 02:00, 10 h ago.")
    assert len(treatment["detail"].split()) < 140


def test_the_grade_card_alone_names_the_drafts_with_their_doses() -> None:
    detail = Bedside(phases=[(20, 3)]).cards[0]["detail"]
    offers = (
        "tocilizumab 640 mg intravenous over 60 min, once; dexamethasone 10 mg intravenous every 6 h for 1 to 3 days"
    )
    assert f"**Treatment:** Consider {offers}. Drafts are in the treatment card." in detail


def test_the_grade_card_names_who_graded_who_treats_and_the_day() -> None:
    detail = Bedside().cards[0]["detail"]
    assert "Day 3 after axicabtagene ciloleucel. Grading ASTCT 2019; treatment: supplied CRS protocol 1.0.0 (" in detail
    assert content().hash[:8] in detail
    assert "For review by a clinician." in detail


def test_a_missing_fact_in_a_summary_cannot_be_read_as_absent() -> None:
    bedside = Bedside(phases=[(20, 3)], gaps={"oxygen": Gap("the EHR reported an error")})
    summary = bedside.cards[0]["summary"]
    assert summary.startswith("CRS grade 3 or higher: norepinephrine running, ")
    assert "not known" in summary
    assert "no oxygen" not in summary
    assert "the EHR reported an error" in bedside.cards[0]["detail"]


def test_readings_of_the_same_instant_share_their_time() -> None:
    assert "| room air; SpO2 97 % (08:00) |" in Bedside().cards[0]["detail"]
    (row,) = [line for line in Bedside(phases=[(0, 1)]).cards[0]["detail"].splitlines() if "hypoxia" in line]
    assert "room air; SpO2 97 % | 12:00, 0 min ago" in row


@pytest.mark.parametrize(
    ("grade", "status", "severity"),
    [
        (1, Status.GRADED, "info"),
        (1, Status.PROVISIONAL, "warning"),
        (2, Status.GRADED, "warning"),
        (2, Status.PROVISIONAL, "warning"),
        (3, Status.GRADED, "critical"),
        (3, Status.PROVISIONAL, "critical"),
        (4, Status.GRADED, "critical"),
    ],
)
def test_the_indicator_follows_the_grade_and_the_doubt(grade: int, status: Status, severity: str) -> None:
    assert indicator(replace(Bedside().assessment, grade=grade, status=status)) == severity


def test_a_card_without_a_grade_is_a_warning_only_with_a_sign() -> None:
    assert PATIENTS["no fever"].cards[0]["indicator"] == "info"
    assert PATIENTS["fever unread"].cards[0]["indicator"] == "warning"
    pressor = Bedside(phases=[(20, 3)], fever="37.0")
    assert pressor.cards[0]["indicator"] == "warning"
    unread = Bedside(phases=[(20, 0)], gaps={"oxygen": GONE})
    assert unread.cards[0]["indicator"] == "info"
    assert unread.cards[0]["summary"].startswith("CRS not graded: ")


def test_an_override_of_a_lower_grade_hides_no_higher_one() -> None:
    topics = [[card["source"]["topic"]["code"] for card in Bedside(phases=[(20, n)]).cards] for n in (2, 3)]
    assert not set(topics[0]) & set(topics[1])


# --- the assessment as JSON -----------------------------------------------------------------------------------------


def test_the_assessment_says_why_a_criterion_is_not_known_though_nothing_is_missing() -> None:
    found = assessment_json(PATIENTS["masked"].assessment, content().knowledge)
    assert found["status"] == "provisional"
    assert any("fever may be masked by acetaminophen" in words for words in found["missing"])


def test_members_without_a_value_are_left_out_and_the_grade_is_not() -> None:
    silent = replace(Bedside().assessment, grade=None, episode=None, findings=())
    found = assessment_json(silent, content().knowledge)
    assert found["grade"] is None
    assert "episode" not in found
    assert found["asOf"] == "2026-01-15T12:00:00Z"


def test_a_protocol_that_offers_nothing_at_a_grade_says_so() -> None:
    empty = Treatment()
    assert treatment_summary(2, empty, knowledge().wording, CLOCK) == "CRS grade 2: no order is drafted at this grade"
    assert treatment_words(empty, knowledge().wording, CLOCK) == "no order is drafted at this grade"


def test_a_summary_leaves_out_whole_phrases_that_do_not_fit_and_the_grade_card_none() -> None:
    waiting = PATIENTS["waiting"]
    summary = waiting.cards[2]["summary"]
    assert summary.endswith("no repeat yet (label: since 10:00, protocol: 18 Jan 02:00)")
    assert "blood culture positive" not in summary
    assert "blood culture positive" in waiting.cards[0]["detail"]


def test_the_grade_card_alone_says_what_speaks_against_a_draft() -> None:
    detail = Bedside(phases=[(20, 3)], scores=[score("6", 1)], weights=[weight("29", 1)]).cards[0]["detail"]
    assert "weight near 30 kg, where the dose per kg changes: confirm" in detail
    assert "ICANS present: tocilizumab may worsen it" in detail
