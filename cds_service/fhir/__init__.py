"""FHIR R4: needs, readers, units, the client, the orders this service drafts."""
