"""What was answered and what clinicians said to it. No patient data by which a person is known."""
