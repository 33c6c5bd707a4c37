"""The daemon: configuration, the data directory, systemd, and all parts put together."""
