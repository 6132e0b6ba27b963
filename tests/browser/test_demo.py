"""The demo chart in a real browser, with the service and the FHIR server of `crs-cds demo`."""

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from playwright.sync_api import Locator, Page, Route, expect

from tests.server import ROOT, SECONDS

Opened = Callable[..., Page]
Chart = Callable[..., Page]
GRADE_3 = "grade-3-one-vasopressor"
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\"]'**[x](javascript:alert(3))"
ENOUGH_TABS = 80


@pytest.fixture
def chart(opened: Opened, demo: str) -> Chart:
    """Opens the chart of a story, and waits for the answer of the service."""

    def open_chart(story: str, **options: Any) -> Page:
        page = opened(f"{demo}/demo#{story}", **options)
        expect(page.locator(".assessment")).not_to_be_empty()
        return page

    return open_chart


def cards(page: Page) -> Locator:
    return page.get_by_role("region", name="What the service says").get_by_role("article")


def card(page: Page, topic: str) -> Locator:
    return page.locator(f'article[data-topic^="CRS{topic}"]')


def orders(demo: str, story: str, **query: str) -> list[dict[str, Any]]:
    """The drug orders of the patient of a story, as the FHIR server holds them."""
    asked = {"patient": f"{story}-patient"} | query
    answer = requests.get(f"{demo}/fhir/MedicationRequest", params=asked, timeout=SECONDS)
    return [entry["resource"] for entry in answer.json().get("entry", [])]


def drawn(page: Page, script: str) -> Any:
    """What a script says of the page when its cards have appeared: while they fade in, colours are no colours yet."""
    page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished))")
    return page.evaluate(script)


def test_a_chart_is_chosen_from_the_stories_and_a_grade_3_card_is_seen(opened: Opened, demo: str) -> None:
    page = opened(f"{demo}/demo")
    expect(page.get_by_role("heading", level=1)).to_have_text("What happens when a chart is opened")
    page.get_by_role("link", name="Child on norepinephrine").click()
    expect(cards(page)).to_have_count(3)
    first = cards(page).first
    expect(first).to_contain_text("Critical")
    expect(first.get_by_role("heading")).to_contain_text("CRS grade 3: norepinephrine")
    expect(first.get_by_role("table")).to_contain_text("a vasopressor, with or without vasopressin: grade 3")
    expect(page.get_by_role("status")).to_contain_text(re.compile(r"answered in \d+ ms with 3 cards"))
    expect(page.get_by_role("region", name="Vital signs, newest")).to_contain_text("39.4")
    expect(page.get_by_role("region", name="Infusions, drugs and procedures")).to_contain_text("running")
    page.go_back()
    expect(page.get_by_role("link", name="Child on norepinephrine")).to_be_visible()


def test_the_steps_of_try_it_show_what_it_says(opened: Opened, demo: str) -> None:
    document = (ROOT / "docs" / "try-it.md").read_text(encoding="utf-8")
    steps = iter(re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", document, flags=re.DOTALL)))

    def said(words: str) -> str:
        """The words, which the document has too, after those that were looked for before."""
        assert words in steps, words
        return words

    page = opened(f"{demo}/demo")
    page.get_by_role("link", name=said("Grade 3 one vasopressor")).click()
    expect(cards(page)).to_have_count(3)
    expect(cards(page).first).to_contain_text(said("CRS grade 3: norepinephrine running"))
    page.get_by_role("button", name=said("Draft tocilizumab 656 mg")).click()
    expect(page.get_by_role("region", name=said("Orders"))).to_contain_text("tocilizumab 656 mg")
    expect(card(page, "treatment")).to_have_count(0)
    infection = card(page, "infection")
    infection.get_by_text(said("Override"), exact=True).click()
    infection.get_by_label("Reason").select_option(index=1)
    infection.get_by_role("button", name="Override this card").click()
    expect(infection).to_have_count(0)
    page.get_by_role("button", name=said("Open the chart again")).click()
    expect(cards(page).first).to_contain_text(said("tocilizumab ordered, not charted as given"))
    label = "dexamethasone 20 mg intravenous every 6 h for 3 days, then reassess"
    page.get_by_label(said("New order")).select_option(label=label)
    page.get_by_role("button", name=said("Pick")).click()
    expect(cards(page).first).to_contain_text(said("The protocol has another order at this grade"))
    expect(page.get_by_role("button", name=said("Sign 2 drafts"))).to_be_visible()
    page.get_by_role("slider", name="Clock").fill(str(-20 * 60 - 5))
    expect(page.get_by_role("status")).to_contain_text(said("20 h 5 min earlier"))
    expect(page.locator(".assessment")).to_contain_text(said("CRS grade 1"))


def test_an_accepted_suggestion_is_a_draft_in_the_fhir_server_and_its_card_is_gone(chart: Chart, demo: str) -> None:
    story = "grade-3-face-mask"
    page = chart(story)
    assert orders(demo, story) == []
    with page.expect_response("**/feedback") as told:
        page.get_by_role("button", name="Draft tocilizumab 544 mg").click()
    assert told.value.status == 200
    [entry] = json.loads(told.value.request.post_data or "")["feedback"]
    assert entry["outcome"] == "accepted"
    assert len(entry["acceptedSuggestions"]) == 1
    expect(card(page, "treatment")).to_have_count(0)
    expect(card(page, "grade")).to_be_visible()
    expect(page.get_by_role("region", name="Orders")).to_contain_text("tocilizumab 544 mg")
    [draft] = orders(demo, story)
    assert draft["status"] == "draft"
    assert draft["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] == 544


def test_all_suggestions_of_a_card_are_accepted_at_once(chart: Chart, demo: str) -> None:
    story = "grade-4-two-vasopressors"
    page = chart(story)
    page.get_by_role("button", name="Accept all 2").click()
    expect(card(page, "treatment")).to_have_count(0)
    expect(page.get_by_role("button", name="Sign 2 drafts")).to_be_visible()
    assert sorted(order["medicationCodeableConcept"]["text"] for order in orders(demo, story)) == [
        "dexamethasone",
        "tocilizumab",
    ]


def test_a_card_is_overridden_with_a_reason_and_the_service_keeps_it(chart: Chart) -> None:
    page = chart("grade-3-vasopressin-does-not-count")
    treatment = card(page, "treatment")
    treatment.get_by_text("Override", exact=True).click()
    treatment.get_by_label("Reason").select_option(label="Another cause explains it")
    treatment.get_by_label("Comment").fill("a line of an invented comment")
    with page.expect_response("**/feedback") as told:
        treatment.get_by_role("button", name="Override this card").click()
    assert told.value.status == 200
    assert told.value.json() == {"received": 1}
    [entry] = json.loads(told.value.request.post_data or "")["feedback"]
    assert entry["outcome"] == "overridden"
    assert entry["overrideReason"]["reason"]["code"] == "other-cause"
    assert entry["overrideReason"]["userComment"] == "a line of an invented comment"
    expect(treatment).to_have_count(0)
    page.get_by_role("button", name="Open the chart again").click()
    expect(page.get_by_role("status")).to_contain_text("The chart was opened again.")
    expect(card(page, "treatment")).to_have_count(0)


def test_the_cards_follow_the_clock_of_the_story(chart: Chart) -> None:
    page = chart("grade-4-bipap")
    clock = page.get_by_role("slider", name="Clock")
    expect(cards(page).first).to_contain_text("CRS grade 4: BiPAP")
    clock.fill(str(-5 * 60))
    expect(page.locator(".assessment")).to_contain_text("CRS grade 3")
    expect(cards(page).first).to_contain_text("non-rebreather mask 15 L/min")
    expect(page.get_by_role("region", name="All readings")).not_to_contain_text("BiPAP")
    clock.fill(str(-23 * 60))
    expect(page.locator(".assessment")).to_contain_text("CRS grade 1")
    page.get_by_role("button", name="To the reading before").click()
    expect(page.get_by_role("status")).to_contain_text("23 h 10 min earlier")
    clock.fill("480")
    expect(page.get_by_role("status")).to_contain_text("8 h later")
    expect(page.locator(".assessment")).to_contain_text("provisional")
    expect(page.locator(".assessment")).to_contain_text("Not known: blood pressure in the last 4 h")


def test_an_order_is_looked_at_when_it_is_picked_put_right_and_signed(chart: Chart, demo: str) -> None:
    story = "fever-masked-by-acetaminophen"
    page = chart(story)
    page.get_by_label("New order").select_option(label="tocilizumab 800 mg intravenous over 60 min, once")
    page.get_by_role("button", name="Pick").click()
    expect(cards(page).first).to_contain_text("here it is 568 mg")
    page.get_by_role("button", name="Change the order to tocilizumab 568 mg").click()
    expect(page.get_by_role("region", name="Orders")).to_contain_text("tocilizumab 568 mg")
    page.get_by_role("button", name="Sign the draft").click()
    expect(page.locator('li[data-status="active"]')).to_contain_text("tocilizumab 568 mg")
    [signed] = orders(demo, story)
    assert (signed["status"], signed["intent"]) == ("active", "order")
    assert signed["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] == 568


def test_an_order_against_which_something_speaks_is_signed_only_when_the_clinician_says_so_again(
    chart: Chart, demo: str
) -> None:
    story = "grade-2-low-flow-oxygen"
    page = chart(story)
    page.get_by_label("New order").select_option(
        label="dexamethasone 20 mg intravenous every 6 h for 3 days, then reassess"
    )
    page.get_by_role("button", name="Pick").click()
    expect(page.get_by_role("status")).to_contain_text("The EHR fired order-select")
    page.get_by_role("button", name="Sign the draft").click()
    expect(page.get_by_role("status")).to_contain_text("The EHR fired order-sign")
    page.get_by_role("button", name="Do not sign").click()
    assert {order["status"] for order in orders(demo, story, status="draft,active")} == {"draft"}
    page.get_by_role("button", name="Sign the draft").click()
    page.get_by_role("button", name="Sign nevertheless").click()
    expect(page.locator('li[data-status="active"]')).to_contain_text("dexamethasone 20 mg")


def test_an_order_that_is_put_right_while_it_is_signed_is_asked_about_again(chart: Chart, demo: str) -> None:
    story = "low-saturation-no-oxygen"
    page = chart(story)
    page.get_by_label("New order").select_option(label="tocilizumab 800 mg intravenous over 60 min, once")
    page.get_by_role("button", name="Pick").click()
    expect(page.get_by_role("status")).to_contain_text("The EHR fired order-select")
    page.get_by_role("button", name="Sign the draft").click()
    expect(page.get_by_role("button", name="Sign nevertheless")).to_be_visible()
    page.get_by_role("button", name="Change the order to tocilizumab 592 mg").click()
    expect(page.get_by_role("region", name="Orders")).to_contain_text("tocilizumab 592 mg")
    expect(page.get_by_role("button", name="Sign nevertheless")).to_have_count(0)
    [draft] = orders(demo, story)
    assert draft["status"] == "draft"


def test_a_second_click_is_not_a_second_order(chart: Chart, demo: str) -> None:
    story = "tocilizumab-given"
    page = chart(story)
    before = len(orders(demo, story))
    page.get_by_label("New order").select_option(label="tocilizumab 800 mg intravenous over 60 min, once")
    page.get_by_role("button", name="Pick").dblclick()
    expect(page.get_by_role("status")).to_contain_text("The EHR fired order-select")
    assert len(orders(demo, story)) == before + 1


def test_a_draft_is_discarded(chart: Chart, demo: str) -> None:
    story = "child-under-30-kg"
    page = chart(story)
    page.get_by_role("button", name="Draft tocilizumab 240 mg").click()
    page.get_by_role("button", name="Discard tocilizumab 240 mg").click()
    expect(page.get_by_role("region", name="Orders")).to_contain_text("No orders.")
    assert orders(demo, story) == []


def test_the_exchange_is_shown_as_it_went_over_the_wire(chart: Chart) -> None:
    page = chart(GRADE_3)
    panel = page.get_by_role("region", name="What the EHR and the service said to each other")
    panel.get_by_text("The chart was opened.").click()
    request = json.loads(panel.get_by_role("region", name="Request").inner_text())
    answer = json.loads(panel.get_by_role("region", name="Answer").inner_text())
    assert request["hook"] == "patient-view"
    assert request["context"]["patientId"] == f"{GRADE_3}-patient"
    assert "temperature" in request["prefetch"]
    assert answer["cards"][0]["summary"] in cards(page).first.inner_text()
    expect(panel).to_contain_text("POST /cds-services/crs-patient-view")


def test_a_link_of_a_card_is_opened_as_an_ehr_does_and_one_that_is_no_web_address_is_not_shown(
    chart: Chart, demo: str
) -> None:
    given = [
        {"label": "a page", "url": "https://example.org/page", "type": "absolute"},
        {"label": "an app", "url": "https://example.org/launch?a=b", "type": "smart"},
        {"label": "a script", "url": "javascript:alert(1)", "type": "absolute"},
    ]

    def with_links(route: Route) -> None:
        answered = route.fetch()
        body = answered.json()
        body["cards"][0]["links"] = given
        route.fulfill(response=answered, json=body)

    page = chart("day-41-after-car-t")
    page.route("**/cds-services/crs-patient-view", with_links)
    page.goto(f"{demo}/demo#no-weight")
    links = cards(page).first.get_by_role("list").filter(has=page.get_by_role("link")).get_by_role("link")
    expect(links).to_have_text(["a page", "an app"])
    expect(links.first).to_have_attribute("href", "https://example.org/page")
    launch = parse_qs(urlsplit(links.last.get_attribute("href") or "").query)
    assert (launch["a"], launch["iss"]) == (["b"], [f"{demo}/fhir"])


def test_the_crs_course_opens_from_the_card_by_a_smart_launch_and_follows_the_clock(chart: Chart, demo: str) -> None:
    page = chart("grade-3-vasopressin-does-not-count")
    for minutes, grade in (("0", "Grade 3"), ("-1200", "Grade 1")):
        page.get_by_role("slider", name="Clock").fill(minutes)
        expect(page.locator(".assessment")).to_contain_text(f"CRS {grade.lower()}")
        with page.expect_popup() as opened:
            card(page, "grade").get_by_role("link", name="CRS course").click()
        course = opened.value
        expect(course.get_by_role("heading", level=1)).to_contain_text("CRS course")
        expect(course.get_by_text(grade, exact=True).first).to_be_visible()
        assert course.url.startswith(f"{demo}/smart/callback?")
        course.close()


def test_silence_is_said_with_its_reason(chart: Chart) -> None:
    page = chart("not-eligible-sepsis")
    expect(cards(page)).to_have_count(0)
    expect(page.get_by_text("The service has nothing to say about this chart.")).to_be_visible()
    expect(page.locator(".assessment")).to_contain_text("not eligible")


@pytest.mark.parametrize("part", ["**/cds-services/crs-patient-view", "**/fhir/Patient/*", "**/clock"])
def test_no_answer_is_never_shown_as_silence_and_takes_the_old_cards_away(
    chart: Chart, troubles: list[str], part: str
) -> None:
    page = chart("mixed-units")
    expect(cards(page)).not_to_have_count(0)
    page.route(part, lambda route: route.abort())
    page.get_by_role("slider", name="Clock").fill("-60")
    expect(page.get_by_role("alert")).to_contain_text("does not mean that there is nothing to say")
    expect(cards(page)).to_have_count(0)
    expect(page.locator(".assessment")).to_be_empty()
    troubles.clear()  # the browser reports the call that was cut off


def test_hostile_names_in_the_record_are_shown_as_text(chart: Chart, demo: str) -> None:
    story = "grade-1-fever"
    page = chart(story)
    subject = {"reference": f"Patient/{story}-patient"}
    now = page.evaluate("new Date().toISOString()")
    concept = {"text": HOSTILE, "coding": [{"system": HOSTILE, "code": "a", "display": HOSTILE}]}
    hostile: list[dict[str, Any]] = [
        {"resourceType": "Patient", "id": f"{story}-patient", "name": [{"text": HOSTILE}], "gender": HOSTILE},
        {"resourceType": "Condition", "id": "h1", "subject": subject, "code": concept},
        {
            "resourceType": "Observation",
            "id": "h2",
            "status": "final",
            "subject": subject,
            "code": concept,
            "effectiveDateTime": now,
            "valueQuantity": {"value": 1, "unit": HOSTILE},
        },
        {
            "resourceType": "MedicationAdministration",
            "id": "h3",
            "status": "in-progress",
            "subject": subject,
            "medicationCodeableConcept": concept,
            "effectivePeriod": {"start": now},
            "dosage": {"text": HOSTILE},
        },
        {
            "resourceType": "MedicationRequest",
            "id": "h4",
            "status": "draft",
            "intent": "order",
            "subject": subject,
            "medicationCodeableConcept": concept,
        },
    ]
    for resource in hostile:
        place = f"{demo}/fhir/{resource['resourceType']}/{resource['id']}"
        assert requests.put(place, json=resource, timeout=SECONDS).ok
    page.get_by_role("button", name="Open the chart again").click()
    expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()
    for region in ("Vital signs, newest", "Infusions, drugs and procedures", "Orders", "All readings"):
        expect(page.get_by_role("region", name=region)).to_contain_text(HOSTILE)
    expect(page.get_by_role("status")).to_contain_text("The chart was opened again")
    page.get_by_role("button", name=re.compile("^Sign")).click()
    expect(page.get_by_role("status")).to_contain_text("The EHR fired order-sign")
    assert page.locator("img").count() == 1, "only the sign of the page itself"
    assert page.locator("main script, main a[href^='javascript']").count() == 0


def test_the_policy_of_the_page_runs_nothing_that_is_written_into_it(chart: Chart, troubles: list[str]) -> None:
    page = chart("grade-0-day-5")
    page.evaluate(
        "() => { const script = document.createElement('script'); script.textContent = 'window.written = true';"
        " document.body.append(script); }"
    )
    assert page.evaluate("window.written") is None
    [refused] = troubles
    assert "Content Security Policy" in refused
    troubles.clear()


def test_a_suggestion_is_accepted_and_the_clock_moved_with_the_keyboard_alone(chart: Chart, demo: str) -> None:
    story = "grade-3-nasal-cannula-over-6-litres"
    page = chart(story)
    expect(page.get_by_role("button", name="Accept all 2")).to_be_visible()
    page.locator("body").press("Tab")
    walked_to(page, "input").press("End")
    expect(page.get_by_role("status")).to_contain_text("8 h later")
    page.get_by_role("slider", name="Clock").press("Home")
    expect(page.get_by_role("status")).to_contain_text("36 h earlier")
    page.get_by_role("slider", name="Clock").fill("0")
    expect(page.get_by_role("button", name="Accept all 2")).to_be_visible()
    walked_to(page, "button", "Draft tocilizumab").press("Enter")
    expect(card(page, "treatment")).to_have_count(0)
    expect(page.get_by_role("heading", name="What the service says")).to_be_focused()
    assert len(orders(demo, story)) == 1


def walked_to(page: Page, kind: str, words: str = "") -> Locator:
    """The element of that kind with these words, reached with Tab; what has the focus is seen."""
    focused = page.locator("*:focus")
    for _ in range(ENOUGH_TABS):
        if focused.count() and focused.evaluate("it => it.localName") == kind and words in focused.inner_text():
            assert focused.evaluate("it => getComputedStyle(it).outlineStyle") != "none"
            return focused
        page.keyboard.press("Tab")
    raise AssertionError(f"no {kind} {words!r} is reached with Tab")


CONTRAST = """
() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = (element) => {
    for (let it = element; it; it = it.parentElement) {
      const colour = rgb(getComputedStyle(it).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const weak = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.checkVisibility()) continue;
    const [one, other] = [light(rgb(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) weak.push(`${ratio.toFixed(2)}: ${node.textContent.trim().slice(0, 60)}`);
  }
  return weak;
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_against_what_is_behind_it(chart: Chart, opened: Opened, demo: str, scheme: str) -> None:
    page = chart("home-cpap", color_scheme=scheme)
    page.get_by_text("Override", exact=True).first.click()
    page.get_by_role("button", name="Pick").click()
    expect(page.get_by_role("button", name=re.compile("^Sign"))).to_be_visible()
    assert drawn(page, CONTRAST) == []
    page.goto(f"{demo}/demo#")
    expect(page.get_by_role("heading", name="Choose a patient")).to_be_visible()
    assert drawn(page, CONTRAST) == []


@pytest.mark.parametrize("width", [1280, 820, 320])
def test_nothing_lies_beyond_the_edge_of_a_screen(chart: Chart, width: int) -> None:
    page = chart("entered-in-error", viewport={"width": width, "height": 720})
    expect(cards(page)).not_to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_everything_that_can_be_used_has_a_name_for_a_screen_reader(chart: Chart) -> None:
    page = chart("bispecific-step-up")
    expect(cards(page)).to_have_count(3)
    page.get_by_text("Override", exact=True).first.click()
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    used = ("button", "link", "slider", "combobox", "textbox", "region", "article", "image", "DisclosureTriangle")
    roles = {node["role"]["value"]: node for node in tree if not node["ignored"]}
    assert {"button", "link", "slider", "combobox", "textbox", "region", "article"} <= roles.keys()
    nameless = [
        node["role"]["value"]
        for node in tree
        if not node["ignored"] and node["role"]["value"] in used and not node.get("name", {}).get("value", "").strip()
    ]
    assert nameless == []
