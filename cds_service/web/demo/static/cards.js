/** Cards as an EHR shows them: how urgent, what, why, from where, and what can be done. */

import { el, svg } from "./dom.js";

const URGENCY = {
  info: { word: "Information", path: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Zm0 8v5m0-8.5v.5" },
  warning: { word: "Warning", path: "M12 4 2.8 20h18.4L12 4Zm0 6v5m0 2v.5" },
  critical: { word: "Critical", path: "M8 3h8l5 5v8l-5 5H8l-5-5V8l5-5Zm4 4v6m0 3v.5" },
};

/**
 * A card. `accept(suggestions)` and `override(reason, comment)` are called when the clinician decides; `launched(link)`
 * is the address of a link.
 */
export function cardView(card, { accept, override, launched }) {
  const urgency = URGENCY[card.indicator] ?? URGENCY.info;
  const title = el("h3", { id: `card-${card.uuid}` }, card.summary);
  const detail = el("div", { class: "detail" });
  if (card.detail) showMarkdown(card.detail, detail);
  const topic = card.source.topic?.code;
  return el("article", { class: `card ${card.indicator}`, "aria-labelledby": title.id, "data-topic": topic },
    el("p", { class: "urgency" },
      svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: urgency.path })), urgency.word),
    title,
    detail,
    suggestions(card, accept),
    links(card, launched),
    el("footer", {}, source(card.source), overriding(card, override)));
}

/** Markdown as the server writes it in HTML: markup of the record is escaped there, and stays text. */
async function showMarkdown(text, place) {
  const headers = { "Content-Type": "text/markdown" };
  const answer = await fetch("/demo/markdown", { method: "POST", headers, body: text });
  if (answer.ok) place.innerHTML = await answer.text();
  else place.textContent = text;
}

/** One button for each, and one for all where the card says that several can be taken. */
function suggestions(card, accept) {
  const offered = card.suggestions ?? [];
  if (!offered.length) return null;
  const button = (taken, label, ...more) =>
    el("button", { type: "button", class: more.length ? "primary" : null, onclick: () => accept(taken) }, label, more);
  const recommended = () => el("span", { class: "recommended" }, "recommended");
  const buttons = offered.map((one) => button([one], one.label, ...(one.isRecommended ? [recommended()] : [])));
  if (offered.length > 1 && card.selectionBehavior === "any") {
    buttons.push(button(offered, `Accept all ${offered.length}`));
  }
  return el("div", { class: "suggestions", role: "group", "aria-label": "Suggestions" }, buttons);
}

function links(card, launched) {
  const safe = (card.links ?? []).filter((link) => /^https?:/i.test(link.url));
  if (!safe.length) return null;
  return el("ul", { class: "links" }, safe.map((link) => el("li", {},
    el("a", { href: launched(link), target: "_blank", rel: "noopener" }, link.label),
    link.type === "smart" && el("small", {}, "opens an app with this patient"))));
}

function source(given) {
  const label = given.url && /^https?:/i.test(given.url)
    ? el("a", { href: given.url, target: "_blank", rel: "noopener" }, given.label)
    : given.label;
  return el("p", { class: "source" }, "Source: ", label);
}

/** Not to follow a card takes a reason, if only a comment. */
function overriding(card, override) {
  const reasons = card.overrideReasons ?? [];
  const choice = el("select", {}, el("option", { value: "" }, "No reason of the list"),
    reasons.map((reason, place) => el("option", { value: String(place) }, reason.display)));
  const comment = el("textarea", { rows: "2", maxlength: "1000" });
  const decide = (event) => {
    event.preventDefault();
    override(choice.value === "" ? null : reasons[Number(choice.value)], comment.value.trim());
  };
  return el("details", { class: "overriding" },
    el("summary", {}, "Override"),
    el("form", { onsubmit: decide },
      reasons.length > 0 && el("label", {}, "Reason", choice),
      el("label", {}, "Comment", comment),
      el("button", { type: "submit" }, "Override this card")));
}
