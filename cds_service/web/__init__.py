"""The HTTP side: Flask carries, nothing is decided here."""
