"""Who may call: the clients that are trusted, what their tokens must be, and what is switched off."""
