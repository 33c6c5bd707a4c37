-- An anomaly that was over goes on within the hour: it may do so as a part of another incident.

-- When (Unix s) it last did; an anomaly that was history and happens now goes on, too.
ALTER TABLE stretches ADD COLUMN went_on INTEGER;

-- An anomaly has one incident at a time. `since` is when its part in this one began (NULL: with
-- itself), `until` when that was over, where it went on in another one (NULL: it is here).
DROP TRIGGER stretches_gone;
ALTER TABLE incident_members RENAME TO incident_members_5;
DROP INDEX incident_members_by_incident;
DROP INDEX incident_members_by_series;
CREATE TABLE incident_members (
  anomaly  INTEGER NOT NULL,
  incident INTEGER NOT NULL,
  series   INTEGER NOT NULL,
  silent   TEXT,  -- why it is not sent
  since    INTEGER,
  until    INTEGER,
  PRIMARY KEY (anomaly, incident)
) STRICT, WITHOUT ROWID;
INSERT INTO incident_members
  SELECT anomaly, incident, series, silent, NULL, NULL FROM incident_members_5;
DROP TABLE incident_members_5;
CREATE INDEX incident_members_by_incident ON incident_members (incident, anomaly);
CREATE INDEX incident_members_by_series ON incident_members (series, incident);

-- Of one that goes on: since when, when it had been over (NULL: it was not), whether it was history.
ALTER TABLE incident_queue ADD COLUMN went_on INTEGER;
ALTER TABLE incident_queue ADD COLUMN over INTEGER;
ALTER TABLE incident_queue ADD COLUMN history INTEGER;
DROP TRIGGER stretches_changed;
CREATE TRIGGER stretches_changed
AFTER UPDATE OF ended, score, kind, severity, history, explanation, went_on ON stretches
WHEN old.ended IS NOT new.ended OR old.score IS NOT new.score OR old.kind IS NOT new.kind
  OR old.severity IS NOT new.severity OR old.history IS NOT new.history
  OR old.explanation IS NOT new.explanation OR old.went_on IS NOT new.went_on
BEGIN
  INSERT INTO incident_queue (anomaly, went_on, over, history)
    VALUES (new.id, iif(old.went_on IS new.went_on, NULL, new.went_on), old.ended, old.history);
END;
CREATE TRIGGER stretches_gone AFTER DELETE ON stretches
WHEN EXISTS (SELECT 1 FROM incident_members WHERE anomaly = old.id)
BEGIN
  INSERT INTO incident_queue (anomaly, incident)
    SELECT anomaly, incident FROM incident_members WHERE anomaly = old.id;
  DELETE FROM incident_members WHERE anomaly = old.id;
END;
