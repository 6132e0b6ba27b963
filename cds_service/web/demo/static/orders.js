/** The orders of a patient: what is drafted, what is signed, and what can be picked. */

import { el } from "./dom.js";
import { drug, named } from "./record.js";

const TYPES = ["MedicationRequest", "ServiceRequest"];

/** The orders of a record. */
export function ordersOf(record) {
  return TYPES.flatMap((type) => record[type]);
}

export function drafts(record) {
  return ordersOf(record).filter((order) => order.status === "draft");
}

export function reference(order) {
  return `${order.resourceType}/${order.id}`;
}

/** An order in one line, as it is written. */
export function words(order) {
  const told = (order.dosageInstruction ?? []).map((one) => one.text).filter(Boolean);
  const what = order.resourceType === "MedicationRequest" ? drug(order) : named(order.code);
  const note = (order.note ?? []).map((one) => one.text).filter(Boolean);
  return [told[0]?.startsWith(what) ? null : what, ...told, ...note].filter(Boolean).join(", ");
}

/** The list, and what can be done with it: `pick` a template, `sign` the drafts, `discard` one. */
export function ordersView(record, templates, { pick, sign, discard }) {
  const all = ordersOf(record);
  const waiting = drafts(record);
  const choice = el("select", { id: "template" },
    templates.map((order, place) => el("option", { value: String(place) }, words(order))));
  const picked = (event) => {
    event.preventDefault();
    pick(templates[Number(choice.value)]);
  };
  return el("div", { class: "orders" },
    all.length ? el("ul", {}, all.map((order) => row(order, discard))) : el("p", {}, "No orders."),
    waiting.length > 0 && el("p", {},
      el("button", { type: "button", class: "primary", onclick: () => sign(waiting) },
        waiting.length > 1 ? `Sign ${waiting.length} drafts` : "Sign the draft")),
    el("form", { class: "picker", onsubmit: picked },
      el("label", { for: "template" }, "New order"), choice, el("button", { type: "submit" }, "Pick")));
}

function row(order, discard) {
  const name = words(order);
  const away = { type: "button", class: "small", onclick: () => discard(order), "aria-label": `Discard ${name}` };
  return el("li", { "data-status": order.status },
    el("span", { class: `badge ${order.status}` }, order.status), name,
    order.status === "draft" && el("button", away, "Discard"));
}
