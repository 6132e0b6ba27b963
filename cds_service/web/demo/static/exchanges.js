/** What was said between the EHR and the service: a sentence for each exchange, and the whole of it on demand. */

import { el } from "./dom.js";

/** The panel. `tell` adds an exchange and answers its sentence. */
export function exchangesPanel() {
  const list = el("ol", { class: "exchanges", reversed: true });
  return {
    view: el("section", { class: "panel", "aria-labelledby": "said" },
      el("h2", { id: "said" }, "What the EHR and the service said to each other"),
      el("p", {}, "The newest first. Open one to see the request and the answer as they went over the wire."),
      list),
    tell(exchange) {
      const words = sentence(exchange);
      list.prepend(entry(exchange, words));
      return words;
    },
  };
}

function sentence({ told, status, answer, milliseconds }) {
  if (status !== 200) return `${told}. The service refused: HTTP ${status}.`.replace("..", ".");
  if (!answer.cards) return `${told} The service answered in ${milliseconds} ms.`;
  const count = answer.cards.length;
  const cards = count === 0 ? "without a card" : `with ${count} card${count > 1 ? "s" : ""}`;
  return `${told}; the service answered in ${milliseconds} ms ${cards}.`;
}

function entry({ method, address, request, status, answer, milliseconds }, words) {
  const details = el("details", {}, el("summary", {}, words));
  const fill = () => {
    if (details.childElementCount > 1) return;
    details.append(
      el("h3", {}, `${method} ${address}`), raw(request === undefined ? "no body" : pretty(request), "Request"),
      el("h3", {}, `HTTP ${status}, after ${milliseconds} ms`), raw(pretty(answer), "Answer"));
  };
  details.addEventListener("toggle", fill, { once: true });
  return el("li", {}, details);
}

function raw(text, name) {
  return el("pre", { tabindex: "0", role: "region", "aria-label": name }, text);
}

function pretty(value) {
  return JSON.stringify(value, null, 2);
}
