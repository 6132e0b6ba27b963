/** The two pages: the stories, and the chart of one. */

import { openChart } from "./chart.js";
import { el } from "./dom.js";
import { setZone } from "./times.js";

const main = document.getElementById("main");

async function asked(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address} answered ${answer.status}.`);
  return answer.json();
}

function title(name) {
  const words = name.replaceAll("-", " ");
  return words[0].toUpperCase() + words.slice(1);
}

function storiesView(stories) {
  return [
    el("section", { class: "intro" },
      el("h1", {}, "What happens when a chart is opened"),
      el("ol", {},
        step("A clinician opens a chart,", " picks an order or signs one. The EHR (this page) tells the service ",
          "so, and sends the readings it asked for. That is CDS Hooks."),
        step("The service grades", " cytokine release syndrome (CRS), a dangerous reaction to CAR-T cells and ",
          "bispecific antibodies, from temperature, pressure, oxygen and vasopressors."),
        step("It answers with cards:", " the grade with its evidence, and draft orders. The clinician accepts or ",
          "overrides them. It orders nothing by itself."))),
    el("h2", {}, "Choose a patient"),
    el("p", {}, "New here? Open a grade 3, accept a draft, override another card, then move the clock back."),
    el("ul", { class: "stories" }, stories.map((story) => el("li", {},
      el("a", { href: `#${story.name}` }, title(story.name)),
      el("span", { class: `grade grade-${story.grade ?? "none"}` },
        story.grade === null ? "not graded" : `grade ${story.grade}`),
      el("p", {}, story.sentence)))),
  ];
}

function step(bold, ...words) {
  return el("li", {}, el("strong", {}, bold), words.join(""));
}

async function show() {
  const name = decodeURIComponent(location.hash.slice(1));
  try {
    const known = await asked("/demo/stories");
    setZone(known.timezone);
    if (name === "") {
      document.title = "Demo chart";
      main.replaceChildren(...storiesView(known.stories));
    } else {
      const story = await asked(`/demo/stories/${encodeURIComponent(name)}`);
      document.title = `${title(name)} · Demo chart`;
      await openChart(main, { ...story, title: title(name) }, known);
    }
  } catch (error) {
    main.replaceChildren(el("p", { role: "alert", class: "trouble" }, error.message));
  }
  window.scrollTo(0, 0);
}

window.addEventListener("hashchange", async () => {
  await show();
  main.focus({ preventScroll: true });
});
show();
