-- How many hosts, or senders, of an incident have stopped; NULL: not known yet.
ALTER TABLE incident_rows ADD COLUMN down INTEGER;
