"""CDS Hooks: the call, the services, the cards. No web framework here."""
