/** The FHIR server of the demo, as the EHR itself uses it. */

const BASE = "/fhir";
const HEADERS = { "Content-Type": "application/fhir+json" };

/** The answer to a query below the base of the FHIR server. */
export async function get(query) {
  return taken(await fetch(`${BASE}/${query}`));
}

/** All resources of a type that belong to a patient. */
export async function ofPatient(type, patient) {
  const bundle = await get(`${type}?patient=${encodeURIComponent(patient)}&_count=500`);
  return (bundle.entry ?? []).map((entry) => entry.resource);
}

export async function create(resource) {
  const body = JSON.stringify(resource);
  return taken(await fetch(`${BASE}/${resource.resourceType}`, { method: "POST", headers: HEADERS, body }));
}

export async function update(resource) {
  const place = `${BASE}/${resource.resourceType}/${resource.id}`;
  return taken(await fetch(place, { method: "PUT", headers: HEADERS, body: JSON.stringify(resource) }));
}

export async function remove(reference) {
  const answer = await fetch(`${BASE}/${reference}`, { method: "DELETE" });
  if (!answer.ok) throw new Error(`The FHIR server answered ${answer.status} to a DELETE.`);
}

async function taken(answer) {
  if (!answer.ok) throw new Error(`The FHIR server answered ${answer.status} to ${answer.url}.`);
  return answer.json();
}
