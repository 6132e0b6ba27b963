"""The result of a test, written: JSON, JUnit and a page for people."""
