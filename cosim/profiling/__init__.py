"""The present machine's training speed as a device profile; the host's clock is read here."""
