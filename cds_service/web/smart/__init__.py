"""The course of a patient as a SMART app, opened from the EHR."""
