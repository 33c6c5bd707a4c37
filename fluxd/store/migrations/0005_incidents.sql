-- Anomalies that belong together, whom they are told, and what is not to be told.

-- Times are Unix s. `first` and `last` are the beginnings that others are measured by; `leading` and
-- `lead` (the first to appear) are anomalies of it. An id is never used again: the outbox knows by it
-- what was told already, and messages link to it.
CREATE TABLE incident_rows (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  state        TEXT NOT NULL CHECK (state IN ('open', 'acknowledged', 'resolved')),
  severity     TEXT NOT NULL CHECK (severity IN ('low', 'normal', 'high', 'critical')),
  started      INTEGER NOT NULL,
  ended        INTEGER,
  first        INTEGER NOT NULL,
  last         INTEGER NOT NULL,
  metrics      INTEGER NOT NULL,
  anomalies    INTEGER NOT NULL,
  leading      INTEGER NOT NULL,
  lead         INTEGER NOT NULL,
  title        TEXT NOT NULL,
  explanation  TEXT NOT NULL,
  silent       TEXT,  -- why none of it is sent
  history      INTEGER NOT NULL,  -- all of it is history, which is never sent
  closed       INTEGER,  -- when somebody resolved it: anomalies that last do not keep it open
  acknowledged INTEGER,
  found        INTEGER NOT NULL  -- when it was stored
) STRICT;
CREATE INDEX incidents_by_start ON incident_rows (started);
CREATE INDEX incidents_by_last ON incident_rows (last);
CREATE INDEX incidents_by_end ON incident_rows (ended);
CREATE INDEX incidents_by_found ON incident_rows (found);

CREATE TABLE incident_members (
  anomaly  INTEGER PRIMARY KEY,
  incident INTEGER NOT NULL,
  series   INTEGER NOT NULL,
  silent   TEXT  -- why it is not sent
) STRICT;
CREATE INDEX incident_members_by_incident ON incident_members (incident);
CREATE INDEX incident_members_by_series ON incident_members (series, incident);

-- Anomalies that are new or were changed since they were last looked at, in that order; an anomaly may
-- be here more than once. Written by triggers, so no anomaly can be stored and not be told.
-- `incident` is the one that an anomaly which is gone was of: another may get its id at once.
CREATE TABLE incident_queue (
  seq      INTEGER PRIMARY KEY,
  anomaly  INTEGER NOT NULL,
  incident INTEGER
) STRICT;
CREATE TRIGGER stretches_found AFTER INSERT ON stretches
BEGIN
  INSERT INTO incident_queue (anomaly) VALUES (new.id);
END;
CREATE TRIGGER stretches_changed
AFTER UPDATE OF ended, score, kind, severity, history, explanation ON stretches
WHEN old.ended IS NOT new.ended OR old.score IS NOT new.score OR old.kind IS NOT new.kind
  OR old.severity IS NOT new.severity OR old.history IS NOT new.history
  OR old.explanation IS NOT new.explanation
BEGIN
  INSERT INTO incident_queue (anomaly) VALUES (new.id);
END;
CREATE TRIGGER stretches_gone AFTER DELETE ON stretches
WHEN EXISTS (SELECT 1 FROM incident_members WHERE anomaly = old.id)
BEGIN
  INSERT INTO incident_queue (anomaly, incident)
    SELECT anomaly, incident FROM incident_members WHERE anomaly = old.id;
  DELETE FROM incident_members WHERE anomaly = old.id;
END;
-- What lasts or was odd lately is grouped at the first start.
INSERT INTO incident_queue (anomaly)
  SELECT id FROM stretches
  WHERE ended IS NULL OR ended >= CAST(strftime('%s', 'now') AS INTEGER) - 86400;

-- Whom to tell. `settings` are a JSON object, secrets in it: the store is its owner's alone.
CREATE TABLE channels (
  id          INTEGER PRIMARY KEY,
  name        TEXT NOT NULL UNIQUE,
  kind        TEXT NOT NULL,
  settings    TEXT NOT NULL,
  least       TEXT NOT NULL CHECK (least IN ('low', 'normal', 'high', 'critical')),
  metrics     TEXT NOT NULL,  -- a JSON array of globs
  quiet_hours TEXT NOT NULL,
  daily_cap   INTEGER NOT NULL,
  digest      TEXT NOT NULL CHECK (digest IN ('off', 'also', 'only')),
  from_file   INTEGER NOT NULL,  -- its settings are in the configuration file, and not here
  enabled     INTEGER NOT NULL,
  created     INTEGER NOT NULL,
  digested    INTEGER NOT NULL,  -- up to when its digests reach
  deleted     INTEGER
) STRICT;

-- A message each. `key` is the same at every try; `body` is the message as JSON, from the first try on.
CREATE TABLE outbox (
  id       INTEGER PRIMARY KEY,
  channel  INTEGER NOT NULL REFERENCES channels (id),
  incident INTEGER,
  notice   TEXT NOT NULL CHECK (notice IN ('opened', 'worsened', 'resolved', 'digest', 'test')),
  key      TEXT NOT NULL UNIQUE,
  state    TEXT NOT NULL
           CHECK (state IN ('waiting', 'sending', 'sent', 'failed', 'withheld', 'cancelled')),
  severity TEXT NOT NULL,
  created  INTEGER NOT NULL,
  due      INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  finished INTEGER,
  answer   TEXT,  -- what the other side said, or why it failed
  body     TEXT
) STRICT;
CREATE INDEX outbox_due ON outbox (channel, due) WHERE state = 'waiting';
CREATE INDEX outbox_of_incident ON outbox (incident, channel);
CREATE INDEX outbox_by_channel ON outbox (channel, id);
CREATE INDEX outbox_by_state ON outbox (state, channel, finished);
CREATE INDEX outbox_written ON outbox (channel) WHERE body IS NOT NULL AND finished IS NULL;

CREATE TABLE mutes (
  id      INTEGER PRIMARY KEY,
  scope   TEXT NOT NULL CHECK (scope IN ('metric', 'glob', 'sender')),
  pattern TEXT NOT NULL,
  since   INTEGER NOT NULL,
  until   INTEGER,
  reason  TEXT NOT NULL,
  created INTEGER NOT NULL
) STRICT;

-- What is expected: deploys, backups; once, or every week from then on.
CREATE TABLE expected_windows (
  id      INTEGER PRIMARY KEY,
  title   TEXT NOT NULL,
  started INTEGER NOT NULL,
  ended   INTEGER NOT NULL,
  metrics TEXT NOT NULL,  -- a JSON array of globs
  weekly  INTEGER NOT NULL,
  created INTEGER NOT NULL
) STRICT;

-- The promise to users. Everything above is internal.

CREATE VIEW incidents (id, state, severity, started, ended, metrics, anomalies, first, leading,
                       title, explanation, acknowledged, silent) AS
  SELECT incident_rows.id, incident_rows.state, incident_rows.severity, incident_rows.started,
         incident_rows.ended, incident_rows.metrics, incident_rows.anomalies, lead_series.name,
         leading_series.name, incident_rows.title, incident_rows.explanation,
         incident_rows.acknowledged, incident_rows.silent
  FROM incident_rows
  LEFT JOIN stretches AS lead_row ON lead_row.id = incident_rows.lead
  LEFT JOIN series AS lead_series
    ON lead_series.id = lead_row.series AND lead_series.deleted IS NULL
  LEFT JOIN stretches AS leading_row ON leading_row.id = incident_rows.leading
  LEFT JOIN series AS leading_series
    ON leading_series.id = leading_row.series AND leading_series.deleted IS NULL;
