"""Messages on their way out: one file a service, and what they share."""
