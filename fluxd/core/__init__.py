"""The pure heart: names, keys, windows, the detector; no IO, no clock, no threads."""
