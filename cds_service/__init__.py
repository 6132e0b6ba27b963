"""CRS CDS Hooks: grades cytokine release syndrome from FHIR R4 data and answers CDS Hooks with cards."""

__version__ = "0.1.0"
