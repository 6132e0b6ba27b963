/** The EHR's side of CDS Hooks: discovery, prefetch, calls, feedback. Every exchange is told to `heard`. */

import { get } from "./fhir.js";

/** A client of the services of this server for one user; `fhirServer` is the base URL that calls name. */
export class Hooks {
  constructor({ fhirServer, user, heard }) {
    this.fhirServer = fhirServer;
    this.user = user;
    this.heard = heard;
    this.services = null;
  }

  /** The service of a hook, as discovery lists it. */
  async service(hook) {
    if (this.services === null) {
      const told = "The EHR asked once which services there are, and which data each wants beforehand.";
      const { answer } = await this.#exchange("GET", "/cds-services", undefined, told);
      this.services = answer.services;
    }
    const found = this.services.find((service) => service.hook === hook);
    if (!found) throw new Error(`Discovery lists no service for ${hook}.`);
    return found;
  }

  /** Fire a hook for a patient. `why` begins the sentence that tells of it. */
  async fire(hook, patient, context, why) {
    const service = await this.service(hook);
    const prefetch = await filled(service.prefetch ?? {}, patient);
    const call = {
      hook,
      hookInstance: crypto.randomUUID(),
      fhirServer: this.fhirServer,
      context: { userId: this.user, patientId: patient, ...context },
      prefetch,
    };
    const asked = Object.keys(prefetch).length;
    const told = `${why} The EHR fired ${hook} with the answers to the ${asked} queries that the service asks for`;
    const { answer } = await this.#exchange("POST", `/cds-services/${service.id}`, call, told);
    return { service, ...answer };
  }

  /** Tell a service what became of one of its cards. */
  async feedback(service, entry, told) {
    const body = { feedback: [{ ...entry, outcomeTimestamp: new Date().toISOString() }] };
    await this.#exchange("POST", `/cds-services/${service.id}/feedback`, body, told);
  }

  async #exchange(method, address, request, told) {
    const options = request && { body: JSON.stringify(request), headers: { "Content-Type": "application/json" } };
    const begun = performance.now();
    const response = await fetch(address, { method, ...options });
    const answer = await response.json();
    const milliseconds = Math.round(performance.now() - begun);
    this.heard({ told, method, address, request, status: response.status, answer, milliseconds });
    if (!response.ok) throw new Error(reasons(answer) || `The service answered ${response.status}.`);
    return { answer };
  }
}

/** The prefetch, as an EHR obtains it: templates filled and sent. A key that cannot be had is left out. */
async function filled(templates, patient) {
  const asked = Object.entries(templates).map(async ([key, template]) => {
    try {
      return [[key, await get(template.replaceAll("{{context.patientId}}", encodeURIComponent(patient)))]];
    } catch {
      return [];
    }
  });
  return Object.fromEntries((await Promise.all(asked)).flat());
}

/** The service's own words of an error: those of an OperationOutcome. */
function reasons(answer) {
  return (answer.issue ?? []).map((issue) => issue.details?.text ?? issue.diagnostics ?? "").join("; ");
}
