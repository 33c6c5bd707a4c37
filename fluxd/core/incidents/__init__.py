"""Incidents: anomalies that belong together, from the first of them until all are over."""
