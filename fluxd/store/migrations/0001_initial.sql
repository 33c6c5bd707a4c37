-- A datapoint's place in time order: timestamp * 2^29 + series. One integer is the cheapest key that
-- SQLite has (rows append at the right edge, 2 million a second) and is unique per pair.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE keys (
  id      INTEGER PRIMARY KEY,
  name    TEXT NOT NULL,
  secret  TEXT NOT NULL UNIQUE,
  prefix  TEXT,
  quota   INTEGER,
  scope   TEXT NOT NULL CHECK (scope IN ('ingest', 'read')),
  created INTEGER NOT NULL,
  revoked INTEGER
) STRICT;
-- A name may be used again once its key was revoked.
CREATE UNIQUE INDEX keys_by_name ON keys (name) WHERE revoked IS NULL;

CREATE TABLE series (
  id      INTEGER PRIMARY KEY,
  name    TEXT NOT NULL UNIQUE,
  key     INTEGER NOT NULL REFERENCES keys (id),
  created INTEGER NOT NULL
) STRICT;

-- The recent tier: every write lands here, in time order. `seq` is the number of the commit that first
-- wrote the pair; `history` marks datapoints sent with fill, which teach and are never notified.
CREATE TABLE recent (
  place   INTEGER PRIMARY KEY,
  value   REAL NOT NULL,
  seq     INTEGER NOT NULL,
  history INTEGER NOT NULL
) STRICT;

-- An overwritten datapoint is not analysed again, so a replay after a crash needs its first value.
CREATE TABLE overwritten (
  place   INTEGER PRIMARY KEY,
  value   REAL NOT NULL,
  seq     INTEGER NOT NULL
) STRICT;
-- No OR IGNORE: the upsert that fires the trigger would overrule it.
CREATE TRIGGER recent_overwritten BEFORE UPDATE OF value ON recent
WHEN old.value IS NOT new.value AND NOT EXISTS (SELECT 1 FROM overwritten WHERE place = old.place)
BEGIN
  INSERT INTO overwritten (place, value, seq) VALUES (old.place, old.value, old.seq);
END;

-- Detector state of a slice of series, and the number of the last commit that it reflects.
CREATE TABLE states (
  slice   INTEGER PRIMARY KEY,
  seq     INTEGER NOT NULL,
  version INTEGER NOT NULL,
  saved   INTEGER NOT NULL,
  body    BLOB NOT NULL
) STRICT;

CREATE TABLE summaries (
  series     INTEGER PRIMARY KEY,
  interval   REAL,
  datapoints INTEGER NOT NULL,
  first      INTEGER NOT NULL,
  last       INTEGER NOT NULL,
  state      TEXT NOT NULL
) STRICT;

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
  UNIQUE (series, started)
) STRICT;
CREATE INDEX stretches_by_time ON stretches (started);

CREATE TABLE rejections (
  key     TEXT NOT NULL,
  reason  TEXT NOT NULL,
  time    INTEGER NOT NULL,
  message TEXT NOT NULL,
  position INTEGER,
  element TEXT,
  count   INTEGER NOT NULL,
  PRIMARY KEY (key, reason)
) STRICT, WITHOUT ROWID;

CREATE TABLE ingestion_tests (
  id      INTEGER PRIMARY KEY,
  time    INTEGER NOT NULL,
  key     TEXT NOT NULL,
  metrics TEXT NOT NULL,
  dropped TEXT NOT NULL,
  message TEXT
) STRICT;

-- The promise to users. Everything above is internal.

-- Reaches one metric's datapoints by hopping from one second that has any to the next: two look-ups a
-- second instead of reading every metric.
CREATE VIEW datapoints (metric, timestamp, value) AS
  WITH RECURSIVE seconds (timestamp) AS (
    SELECT min(place) >> 29 FROM recent
    UNION ALL
    SELECT (SELECT min(place) FROM recent WHERE place >= (seconds.timestamp + 1) << 29) >> 29
    FROM seconds WHERE seconds.timestamp IS NOT NULL
  )
  SELECT series.name, seconds.timestamp, recent.value
  FROM series CROSS JOIN seconds CROSS JOIN recent
  WHERE recent.place = (seconds.timestamp << 29) + series.id;

CREATE VIEW datapoints_recent (metric, timestamp, value) AS
  SELECT series.name, recent.place >> 29, recent.value
  FROM recent CROSS JOIN series
  WHERE series.id = (recent.place & 536870911);

CREATE VIEW metrics (metric, interval, datapoints, first, last, state) AS
  SELECT series.name, summaries.interval, coalesce(summaries.datapoints, 0), summaries.first,
         summaries.last, coalesce(summaries.state, 'learning')
  FROM series LEFT JOIN summaries ON summaries.series = series.id;

CREATE VIEW anomalies (id, metric, started, ended, peak, value, expected, lower, upper, score,
                       direction, kind, explanation) AS
  SELECT stretches.id, series.name, started, ended, peak, value, expected, lower, upper, score,
         direction, kind, explanation
  FROM stretches JOIN series ON series.id = stretches.series;
