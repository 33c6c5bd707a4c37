-- What the detector has learnt to say: how much each anomaly matters, the datapoints before it, and
-- what silence tells.

DROP VIEW anomalies;

-- SQLite can't take a UNIQUE off a table.
ALTER TABLE stretches RENAME TO stretches_2;
DROP INDEX stretches_by_time;
CREATE TABLE stretches (
  id          INTEGER PRIMARY KEY,
  series      INTEGER NOT NULL REFERENCES series (id),
  started     INTEGER NOT NULL,
  ended       INTEGER,
  peak        INTEGER NOT NULL,
  value       REAL NOT NULL,
  expected    REAL NOT NULL,
  lower       REAL NOT NULL,
  upper       REAL NOT NULL,
  score       REAL NOT NULL,
  direction   TEXT NOT NULL CHECK (direction IN ('up', 'down')),
  kind        TEXT NOT NULL,
  explanation TEXT NOT NULL,
  evidence    TEXT NOT NULL,
  history     INTEGER NOT NULL,
  severity    TEXT NOT NULL CHECK (severity IN ('normal', 'low')),
  -- The datapoints before it with their band, as JSON; written once, soon after the anomaly itself.
  before      TEXT
) STRICT;
INSERT INTO stretches
  SELECT id, series, started, ended, peak, value, expected, lower, upper, score, direction, kind,
         explanation, evidence, history, 'normal', NULL
  FROM stretches_2;
DROP TABLE stretches_2;
CREATE INDEX stretches_by_time ON stretches (started);
-- What silence tells, and what the datapoints tell, may begin at the same second.
CREATE UNIQUE INDEX stretches_by_series ON stretches (series, started)
  WHERE kind NOT IN ('stopped', 'resumed');
CREATE INDEX stretches_without_before ON stretches (id) WHERE before IS NULL;

-- What the nightly self-tests found, as JSON, by day since 1970.
CREATE TABLE selftests (
  day     INTEGER PRIMARY KEY,
  outcome TEXT NOT NULL
) STRICT;

-- The metrics that an anomaly of kind 'stopped' has told as silent, until they are back: `mark` is the
-- last timestamp (s) then.
CREATE TABLE silences (
  series INTEGER PRIMARY KEY REFERENCES series (id),
  event  INTEGER NOT NULL,
  mark   INTEGER NOT NULL
) STRICT;
CREATE INDEX silences_by_event ON silences (event);

-- When datapoints of a slice of series came; written with the slice's state.
CREATE TABLE arrivals (
  slice INTEGER PRIMARY KEY,
  body  BLOB NOT NULL
) STRICT;

-- The promise to users. Everything above is internal.

CREATE VIEW anomalies (id, metric, started, ended, peak, value, expected, lower, upper, score,
                       direction, kind, explanation, severity) AS
  SELECT stretches.id, series.name, started, ended, peak, value, expected, lower, upper, score,
         direction, kind, explanation, severity
  FROM stretches JOIN series ON series.id = stretches.series
  WHERE series.deleted IS NULL;
