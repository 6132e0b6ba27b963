"""Loads cards/ and refuses to go on with faults in it."""
