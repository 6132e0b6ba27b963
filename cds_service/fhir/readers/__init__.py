"""Readers: one FHIR resource in, dated facts or a reason for not using it out."""
