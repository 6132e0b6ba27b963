/** The clock of a story: a slider over its hours, with a step to each instant at which something was charted. */

import { el } from "./dom.js";
import { span } from "./times.js";

const STEP = 5;

/** The slider; `turned(minutes)` is called when the clock has been moved. */
export function clockView({ clock, facts }, turned) {
  const slider = el("input", {
    type: "range", id: "clock", min: clock.from, max: clock.to, step: STEP, value: "0",
    list: "facts", "aria-describedby": "clock-hint", oninput: show, onchange: () => turned(Number(slider.value)),
  });
  const output = el("span", { class: "place" });
  const stops = [clock.from, ...facts.map((minute) => Math.ceil(minute / STEP) * STEP), 0, clock.to];
  const step = (towards) => {
    const here = Number(slider.value);
    const next = stops.filter((stop) => (stop - here) * towards > 0).sort((one, other) => (one - other) * towards)[0];
    if (next === undefined) return;
    slider.value = String(next);
    show();
    turned(next);
  };
  function show() {
    output.textContent = place(Number(slider.value));
    slider.setAttribute("aria-valuetext", output.textContent);
  }
  show();
  const hint = "Move it: the record becomes what it was then, the chart is opened anew, and the cards follow.";
  return el("div", { class: "clock" },
    el("label", { for: "clock" }, "Clock"),
    el("button", { type: "button", onclick: () => step(-1), "aria-label": "To the reading before" }, "◀"),
    slider,
    el("datalist", { id: "facts" }, [...new Set(stops)].map((stop) => el("option", { value: stop }))),
    el("button", { type: "button", onclick: () => step(1), "aria-label": "To the next reading" }, "▶"),
    output,
    el("small", { id: "clock-hint" }, hint));
}

/** Where in the story that is, seen from the instant at which it is told. */
export function place(minutes) {
  if (minutes === 0) return "now";
  return minutes < 0 ? `${span(minutes)} earlier` : `${span(minutes)} later`;
}
