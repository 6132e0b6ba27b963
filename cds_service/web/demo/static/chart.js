/** The chart of one patient: what is read is shown, what is done fires a hook, what is answered becomes cards. */

import { cardView } from "./cards.js";
import { clockView, place } from "./clock.js";
import { el } from "./dom.js";
import { exchangesPanel } from "./exchanges.js";
import { create, remove, update } from "./fhir.js";
import { Hooks } from "./hooks.js";
import { drafts, ordersView, reference, words } from "./orders.js";
import { banner, read, readings, tiles, treatments } from "./record.js";

const ASSESSMENT = "org.crs-cds.assessment";

/** Show the chart of a story in `main`, as it is at the story's own instant. */
export async function openChart(main, story, { fhirServer, user }) {
  const chart = new Chart(story, fhirServer, user);
  main.replaceChildren(...chart.view);
  await chart.turn(0, "The chart was opened.");
}

class Chart {
  constructor(story, fhirServer, user) {
    this.story = story;
    this.patient = story.patient;
    this.panel = exchangesPanel();
    this.hooks = new Hooks({ fhirServer, user, heard: (exchange) => this.step(this.panel.tell(exchange)) });
    this.wanted = null;
    this.turning = false;
    this.acting = false;
    this.parts = {
      banner: el("div"),
      step: el("p", { class: "step", role: "status" }),
      assessment: el("p", { class: "assessment" }),
      trouble: el("div", { role: "alert" }),
      orderCards: el("div", { class: "group" }),
      viewCards: el("div", { class: "group" }),
      vitals: el("div"),
      treatments: el("div"),
      orders: el("div"),
      readings: el("div"),
    };
    this.heading = el("h2", { id: "cards", tabindex: "-1" }, "What the service says");
    this.answers = el("section", { class: "answers", "aria-labelledby": "cards" },
      el("div", { class: "summary" }, this.heading, this.parts.assessment),
      this.parts.trouble, this.parts.orderCards, this.parts.viewCards);
  }

  get view() {
    const { parts } = this;
    const section = (id, heading, content) =>
      el("section", { class: "panel", "aria-labelledby": id }, el("h2", { id }, heading), content);
    const again = () => this.turn(null, "The chart was opened again.");
    const turned = (minutes) => this.turn(minutes, `The clock was moved to ${place(minutes)} and the chart opened.`);
    return [
      el("div", { class: "told" },
        el("h1", {}, this.story.title),
        el("button", { type: "button", onclick: again }, "Open the chart again"),
        el("p", {}, this.story.sentence)),
      el("div", { class: "bar" }, parts.banner, clockView(this.story, turned), parts.step),
      el("div", { class: "columns" },
        this.answers,
        el("div", { class: "record" },
          section("vitals", "Vital signs, newest", parts.vitals),
          section("orders", "Orders", parts.orders),
          section("given", "Infusions, drugs and procedures", parts.treatments),
          section("readings", "All readings", parts.readings))),
      this.panel.view,
    ];
  }

  step(sentence) {
    this.parts.step.textContent = sentence;
  }

  /**
   * Move the clock, unless `minutes` is null, and open the chart anew. Where that is asked for faster than the chart
   * opens, the last time counts.
   */
  async turn(minutes, why) {
    this.wanted = { minutes, why };
    if (this.turning) return;
    this.turning = true;
    this.answers.setAttribute("aria-busy", "true");
    while (this.wanted !== null) {
      const next = this.wanted;
      this.wanted = null;
      const opened = await this.tried(async () => {
        if (next.minutes !== null) await this.moved(next.minutes);
        await this.open(next.why);
      });
      if (!opened) {
        this.parts.assessment.replaceChildren(); // what was said of another instant is not said of this one
        this.parts.viewCards.replaceChildren();
      }
    }
    this.answers.removeAttribute("aria-busy");
    this.turning = false;
  }

  /** Have the record become what it was so many minutes from the instant of the story. */
  async moved(minutes) {
    const body = JSON.stringify({ minutes });
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(`/demo/stories/${this.story.name}/clock`, { method: "PUT", headers, body });
    if (!answer.ok) throw new Error(`The clock was not moved: HTTP ${answer.status}.`);
  }

  /** Read the record, show it, and fire patient-view. */
  async open(why) {
    this.parts.orderCards.replaceChildren();
    await this.refresh();
    const answer = await this.hooks.fire("patient-view", this.patient, {}, why);
    this.parts.assessment.replaceChildren(...assessed(answer.extension?.[ASSESSMENT]));
    this.show(this.parts.viewCards, answer, "The service has nothing to say about this chart.");
  }

  async refresh() {
    const record = await read(this.patient);
    const now = new Date();
    this.parts.banner.replaceChildren(banner(record, now));
    this.parts.vitals.replaceChildren(tiles(record, now));
    this.parts.treatments.replaceChildren(treatments(record, now));
    this.parts.readings.replaceChildren(readings(record, now));
    this.parts.orders.replaceChildren(ordersView(record, this.story.orders, {
      pick: (template) => this.act(() => this.pick(template)),
      sign: (waiting) => this.act(() => this.sign(waiting)),
      discard: (order) => this.act(() => this.discard(order)),
    }));
    return record;
  }

  show(group, answer, silence) {
    const shown = answer.cards.map((card) => {
      const view = cardView(card, {
        accept: (suggestions) => this.act(() => this.accept(answer.service, card, suggestions, view)),
        override: (reason, comment) => this.act(() => this.override(answer.service, card, reason, comment, view)),
        launched: (link) => this.launched(link),
      });
      return view;
    });
    group.replaceChildren(...(shown.length ? shown : [el("p", { class: "silence" }, silence)]));
  }

  /** Carry out what a suggestion holds, then tell the service that it was accepted. */
  async accept(service, card, suggestions, view) {
    for (const action of suggestions.flatMap((suggestion) => suggestion.actions ?? [])) {
      if (action.type === "create") await create(action.resource);
      else if (action.type === "update") await update(action.resource);
    }
    const acceptedSuggestions = suggestions.map(({ uuid }) => ({ id: uuid }));
    const labels = suggestions.map(({ label }) => label).join("; ");
    const told = `Accepted: ${labels}. The EHR wrote the draft into the record and told the service.`;
    this.parts.orderCards.querySelector(".decision")?.remove(); // its drafts have changed
    await this.refresh();
    this.away(view);
    await this.hooks.feedback(service, { card: card.uuid, outcome: "accepted", acceptedSuggestions }, told);
  }

  async override(service, card, reason, userComment, view) {
    const picked = reason && { code: reason.code, system: reason.system, display: reason.display };
    const overrideReason = { ...(picked && { reason: picked }), ...(userComment && { userComment }) };
    const told = `Overridden${picked ? `: ${picked.display}` : ""}. The EHR told the service.`;
    await this.hooks.feedback(service, { card: card.uuid, outcome: "overridden", overrideReason }, told);
    this.away(view);
  }

  /** A card that was answered is gone; the focus stays with the cards. */
  away(view) {
    view.remove();
    this.heading.focus();
  }

  async pick(template) {
    const order = await create(template);
    const record = await this.refresh();
    this.parts.orderCards.replaceChildren();
    const context = { selections: [reference(order)], draftOrders: bundle(drafts(record)) };
    const why = `An order was picked: ${words(template)}.`;
    const answer = await this.hooks.fire("order-select", this.patient, context, why);
    this.show(this.parts.orderCards, answer, "Nothing speaks against the order that was picked.");
  }

  /** Fire order-sign. Where nothing speaks against it, sign; else the cards are shown and the clinician decides. */
  async sign(waiting) {
    this.parts.orderCards.replaceChildren();
    const context = { draftOrders: bundle(waiting) };
    const answer = await this.hooks.fire("order-sign", this.patient, context, "Drafts are about to be signed.");
    if (!answer.cards.length) return this.signed(waiting);
    this.show(this.parts.orderCards, answer, "");
    this.parts.orderCards.append(el("p", { class: "decision" },
      el("button", { type: "button", onclick: () => this.act(() => this.signed(waiting)) }, "Sign nevertheless"),
      el("button", { type: "button", onclick: () => this.parts.orderCards.replaceChildren() }, "Do not sign")));
    this.heading.focus();
    return undefined;
  }

  async signed(waiting) {
    const authoredOn = new Date().toISOString();
    for (const order of waiting) await update({ ...order, status: "active", intent: "order", authoredOn });
    await this.refresh();
    this.parts.orderCards.replaceChildren(el("p", { class: "silence" }, "Signed."));
  }

  async discard(order) {
    await remove(reference(order));
    await this.refresh();
    this.parts.orderCards.replaceChildren();
  }

  /** A SMART link is opened as an EHR launches an app: with its own address and what the launch is about. */
  launched(link) {
    if (link.type !== "smart") return link.url;
    const address = new URL(link.url);
    address.searchParams.set("iss", this.hooks.fhirServer);
    address.searchParams.set("launch", launchOf({ patient: this.patient, appContext: link.appContext ?? null }));
    return address.href;
  }

  /** Do what the clinician asked for, one thing after the other: a second click is not a second order. */
  async act(doing) {
    if (this.acting || this.turning) return;
    this.acting = true;
    await this.tried(doing);
    this.acting = false;
  }

  /** Do it, and say when it did not succeed: a failure is never silence. Whether it did. */
  async tried(doing) {
    this.parts.trouble.replaceChildren();
    try {
      await doing();
      return true;
    } catch (error) {
      this.parts.trouble.replaceChildren(el("p", { class: "trouble" },
        el("strong", {}, "This did not succeed, which does not mean that there is nothing to say. "), error.message));
      return false;
    }
  }
}

function bundle(orders) {
  return { resourceType: "Bundle", type: "collection", entry: orders.map((resource) => ({ resource })) };
}

/** What a launch is about, for the sign-in of the demo to read. */
function launchOf(about) {
  const bytes = new TextEncoder().encode(JSON.stringify(about));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The assessment that comes with every answer, in few words. */
function assessed(assessment) {
  if (!assessment) return [];
  const graded = assessment.grade !== null && assessment.grade !== undefined;
  const state = assessment.status.replaceAll("-", " ");
  const [kind, said] = graded ? [assessment.grade, `CRS grade ${assessment.grade}`] : ["none", "no grade"];
  return [
    el("span", { class: `grade grade-${kind}` }, said),
    ` ${state}`,
    assessment.missing.length > 0 && el("small", {}, `Not known: ${assessment.missing.join("; ")}`),
  ].filter(Boolean);
}
