"""The course as a SMART app: where it is registered, and what passes between it and an authorization server."""
