"""The conversation that a test has with a service: discovery, sound calls, wrong calls, browsers, feedback."""
