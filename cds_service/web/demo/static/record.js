/** A patient's record as it is in FHIR and as the chart shows it. It knows no code: all that is charted is shown. */

import { el, svg } from "./dom.js";
import { get, ofPatient } from "./fhir.js";
import { ago, clock, years } from "./times.js";

const TYPES = [
  "Observation", "MedicationAdministration", "Procedure", "Condition", "MedicationRequest", "ServiceRequest",
];
const SYSTEMS = {
  "http://loinc.org": "LOINC",
  "http://snomed.info/sct": "SNOMED CT",
  "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
};
const ERROR = "entered-in-error";

/** Everything the chart shows of a patient: the Patient, and its resources by type. */
export async function read(patient) {
  const asked = TYPES.map((type) => ofPatient(type, patient));
  const [person, ...lists] = await Promise.all([get(`Patient/${patient}`), ...asked]);
  return { Patient: person, ...Object.fromEntries(TYPES.map((type, place) => [type, lists[place]])) };
}

/** What the record calls a concept. */
export function named(concept) {
  const codings = concept?.coding ?? [];
  const display = codings.find((coding) => coding.display)?.display;
  return String(concept?.text ?? display ?? codings[0]?.code ?? "not named");
}

export function drug(resource) {
  return named(resource.medicationCodeableConcept ?? { text: resource.medicationReference?.reference });
}

/** Who the patient is. */
export function banner({ Patient, Condition }, now) {
  const name = Patient.name?.[0] ?? {};
  const words = name.text ?? [...(name.prefix ?? []), ...(name.given ?? []), name.family].filter(Boolean).join(" ");
  const facts = [
    Patient.gender,
    Patient.birthDate && `${years(Patient.birthDate, now)} years`,
    ...(Patient.identifier ?? []).map((identifier) => identifier.value),
    ...Condition.map((condition) => named(condition.code)),
  ];
  return el("header", { class: "banner" },
    el("h2", {}, words || "A patient without a name"),
    el("ul", {}, facts.filter(Boolean).map((fact) => el("li", {}, String(fact)))));
}

/** The newest value of each vital sign, with the way it took. */
export function tiles({ Observation }, now) {
  const series = new Map();
  for (const item of byTime(Observation).filter((found) => found.status !== ERROR)) {
    series.set(named(item.code), [...(series.get(named(item.code)) ?? []), item]);
  }
  const often = [...series].sort(([, one], [, other]) => other.length - one.length);
  return el("dl", { class: "tiles" }, often.map(([name, items]) => {
    const newest = items.at(-1);
    const { words, unit } = value(newest);
    return el("div", {},
      el("dt", {}, name),
      el("dd", {},
        el("strong", { class: unit ? null : "words" }, words),
        unit && el("span", {}, unit),
        el("small", {}, ago(time(newest), now)),
        line(items)));
  }));
}

/** What runs, and what was given or done. */
export function treatments({ MedicationAdministration, Procedure }, now) {
  const all = byTime([...MedicationAdministration, ...Procedure]).reverse();
  if (!all.length) return el("p", {}, "Nothing is charted.");
  return el("ul", { class: "treatments" }, all.map((item) => {
    const running = item.status === "in-progress";
    const what = item.resourceType === "Procedure" ? named(item.code) : drug(item);
    const how = item.dosage?.text ?? rate(item.dosage?.rateQuantity);
    const begun = time(item);
    const state = running ? `running since ${clock(begun)}, ${ago(begun, now)}` : `${clock(begun)}, ${ago(begun, now)}`;
    return el("li", { class: item.status },
      running && el("span", { class: "badge running" }, "running"),
      el("strong", {}, what), how && ` ${how}`,
      el("small", {}, item.status === ERROR ? `entered in error, ${state}` : state));
  }));
}

/** All readings, the newest first. */
export function readings({ Observation }, now) {
  const rows = byTime(Observation).reverse().map((item) => {
    const { words, unit } = value(item);
    const wrong = item.status === ERROR;
    const name = named(item.code) + (wrong ? " (entered in error)" : "");
    const cells = [clock(time(item)), name, words, unit, codes(item)].map((cell) => el("td", {}, cell));
    return el("tr", { class: wrong ? "wrong" : null, title: ago(time(item), now) }, cells);
  });
  const head = ["Time", "Reading", "Value", "Unit", "Code"].map((name) => el("th", { scope: "col" }, name));
  return el("div", { class: "scroll", role: "region", "aria-label": "Readings", tabindex: "0" },
    el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows)));
}

function time(item) {
  const period = item.effectivePeriod ?? item.performedPeriod;
  return new Date(item.effectiveDateTime ?? item.performedDateTime ?? period?.start ?? NaN);
}

function byTime(items) {
  return items.filter((item) => !Number.isNaN(time(item).getTime())).sort((one, other) => time(one) - time(other));
}

/** What was read, as words, and its unit; the parts of a panel are told one after the other. */
function value(item) {
  const parts = item.component ? item.component.map(quantity) : [quantity(item)];
  return { words: parts.map((part) => part.words).join("/") || "no value", unit: parts[0]?.unit ?? "" };
}

function quantity(holder) {
  const found = holder.valueQuantity;
  if (found) return { words: `${found.comparator ?? ""}${found.value}`, unit: String(found.unit ?? found.code ?? "") };
  const coded = holder.valueCodeableConcept && named(holder.valueCodeableConcept);
  const words = holder.valueString ?? holder.valueInteger ?? coded;
  return { words: String(words ?? named(holder.dataAbsentReason)), unit: "" };
}

function rate(found) {
  return found ? `${found.value} ${found.unit ?? ""}` : null;
}

function codes(item) {
  return (item.code?.coding ?? []).map((coding) => `${SYSTEMS[coding.system] ?? ""} ${coding.code}`.trim()).join(", ");
}

/** The course of a value as a small line; nothing for words, and only readings in the unit of the newest. */
function line(items) {
  const read = items.map((item) => ({ at: time(item).getTime(), ...(item.component?.[0] ?? item).valueQuantity }));
  const points = read.filter((point) => Number.isFinite(point.value) && point.unit === read.at(-1).unit);
  if (points.length < 2) return null;
  const values = points.map((point) => point.value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const [begin, end] = [points[0].at, points.at(-1).at];
  const places = points.map(({ at, value: it }) => [
    2 + (96 * (at - begin)) / (end - begin || 1),
    22 - (20 * (it - low)) / (high - low || 1),
  ]);
  return svg("svg", { class: "line", viewBox: "0 0 100 24", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("polyline", { points: places.map((place) => place.map((number) => number.toFixed(1)).join(",")).join(" ") }));
}
