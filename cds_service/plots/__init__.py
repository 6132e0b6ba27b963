"""Pictures: numbers of the report and the course of a patient, drawn by matplotlib. Flask is not known here."""
