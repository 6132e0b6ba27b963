"""A test of any CDS Hooks 2.0.1 service, written from the specification and not from the code of this service."""
