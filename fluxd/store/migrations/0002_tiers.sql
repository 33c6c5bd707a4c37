-- The recent tier in five tables, and the tier that it is sealed into.
--
-- `recent_0` to `recent_3` hold the hour h (Unix hours) with h % 4 = n, `recent_late` what comes
-- when its hour is over. An hour's table is emptied as a whole, by a DELETE without WHERE: that
-- writes 0.1 bytes per datapoint, where deleting row by row writes 55 (every page goes through the
-- log once more).
--
-- What the recent tier has of a series and second shadows what a block has of it. So blocks can be
-- written long before their rows are deleted, and a sealing that was cut short is done again.

DROP VIEW datapoints;
DROP VIEW datapoints_recent;
DROP VIEW metrics;
DROP VIEW anomalies;
DROP TRIGGER recent_overwritten;

-- A place may be in an hour's table and, sent again later, in the late one: each has a first value.
ALTER TABLE overwritten RENAME TO overwritten_1;
CREATE TABLE overwritten (
  place INTEGER NOT NULL,
  seq   INTEGER NOT NULL,
  value REAL NOT NULL,
  PRIMARY KEY (place, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO overwritten SELECT place, seq, value FROM overwritten_1;
DROP TABLE overwritten_1;

CREATE TABLE recent_0 (
  place   INTEGER PRIMARY KEY,
  value   REAL NOT NULL,
  seq     INTEGER NOT NULL,
  history INTEGER NOT NULL
) STRICT;
CREATE TRIGGER recent_0_overwritten BEFORE UPDATE OF value ON recent_0
WHEN old.value IS NOT new.value
  AND NOT EXISTS (SELECT 1 FROM overwritten WHERE (place, seq) = (old.place, old.seq))
BEGIN
  INSERT INTO overwritten (place, seq, value) VALUES (old.place, old.seq, old.value);
END;

CREATE TABLE recent_1 (
  place   INTEGER PRIMARY KEY,
  value   REAL NOT NULL,
  seq     INTEGER NOT NULL,
  history INTEGER NOT NULL
) STRICT;
CREATE TRIGGER recent_1_overwritten BEFORE UPDATE OF value ON recent_1
WHEN old.value IS NOT new.value
  AND NOT EXISTS (SELECT 1 FROM overwritten WHERE (place, seq) = (old.place, old.seq))
BEGIN
  INSERT INTO overwritten (place, seq, value) VALUES (old.place, old.seq, old.value);
END;

CREATE TABLE recent_2 (
  place   INTEGER PRIMARY KEY,
  value   REAL NOT NULL,
  seq     INTEGER NOT NULL,
  history INTEGER NOT NULL
) STRICT;
CREATE TRIGGER recent_2_overwritten BEFORE UPDATE OF value ON recent_2
WHEN old.value IS NOT new.value
  AND NOT EXISTS (SELECT 1 FROM overwritten WHERE (place, seq) = (old.place, old.seq))
BEGIN
  INSERT INTO overwritten (place, seq, value) VALUES (old.place, old.seq, old.value);
END;

CREATE TABLE recent_3 (
  place   INTEGER PRIMARY KEY,
  value   REAL NOT NULL,
  seq     INTEGER NOT NULL,
  history INTEGER NOT NULL
) STRICT;
CREATE TRIGGER recent_3_overwritten BEFORE UPDATE OF value ON recent_3
WHEN old.value IS NOT new.value
  AND NOT EXISTS (SELECT 1 FROM overwritten WHERE (place, seq) = (old.place, old.seq))
BEGIN
  INSERT INTO overwritten (place, seq, value) VALUES (old.place, old.seq, old.value);
END;

CREATE TABLE recent_late (
  place   INTEGER PRIMARY KEY,
  value   REAL NOT NULL,
  seq     INTEGER NOT NULL,
  history INTEGER NOT NULL
) STRICT;
CREATE TRIGGER recent_late_overwritten BEFORE UPDATE OF value ON recent_late
WHEN old.value IS NOT new.value
  AND NOT EXISTS (SELECT 1 FROM overwritten WHERE (place, seq) = (old.place, old.seq))
BEGIN
  INSERT INTO overwritten (place, seq, value) VALUES (old.place, old.seq, old.value);
END;

INSERT INTO recent_late SELECT place, value, seq, history FROM recent;
DROP TABLE recent;

-- A datapoint of `recent_late` stands for that of an hour's table, if both have one.
CREATE VIEW recent (place, value, seq, history) AS
  SELECT place, value, seq, history FROM recent_late
  UNION ALL
  SELECT place, value, seq, history FROM recent_0
  WHERE NOT EXISTS (SELECT 1 FROM recent_late WHERE recent_late.place = recent_0.place)
  UNION ALL
  SELECT place, value, seq, history FROM recent_1
  WHERE NOT EXISTS (SELECT 1 FROM recent_late WHERE recent_late.place = recent_1.place)
  UNION ALL
  SELECT place, value, seq, history FROM recent_2
  WHERE NOT EXISTS (SELECT 1 FROM recent_late WHERE recent_late.place = recent_2.place)
  UNION ALL
  SELECT place, value, seq, history FROM recent_3
  WHERE NOT EXISTS (SELECT 1 FROM recent_late WHERE recent_late.place = recent_3.place);

-- Sealed datapoints of one series and span: a zlib-compressed JSON array of values, null for a gap,
-- or an object from offset to value; the key k of either is the second start + step * k. `place` is
-- label * 2^29 + series, and the label the beginning of the span, a multiple of its length.
CREATE TABLE blocks (
  place  INTEGER PRIMARY KEY,
  length INTEGER NOT NULL,
  start  INTEGER NOT NULL,
  step   INTEGER NOT NULL,
  count  INTEGER NOT NULL,
  size   INTEGER NOT NULL,
  stored INTEGER NOT NULL,
  body   BLOB NOT NULL
) STRICT;

-- One row a series and day: a compressed JSON array of 24 hours, [min, max, mean, count] or null.
CREATE TABLE day_rollups (
  place  INTEGER PRIMARY KEY,
  size   INTEGER NOT NULL,
  body   BLOB NOT NULL
) STRICT;

-- Expected, lower, upper and score, quantised. The label is the hour in which the row was written,
-- later the day; `first` and `last` are the seconds of its datapoints.
CREATE TABLE bands (
  place INTEGER PRIMARY KEY,
  first INTEGER NOT NULL,
  last  INTEGER NOT NULL,
  count INTEGER NOT NULL,
  body  BLOB NOT NULL
) STRICT;

-- Series whose stored datapoints are to be learnt anew; `added` of them came with an import.
CREATE TABLE rebuilds (
  series    INTEGER PRIMARY KEY REFERENCES series (id),
  requested INTEGER NOT NULL,
  added     INTEGER NOT NULL
) STRICT;

ALTER TABLE series ADD COLUMN retired INTEGER;
ALTER TABLE series ADD COLUMN deleted INTEGER;
ALTER TABLE series ADD COLUMN muted INTEGER NOT NULL DEFAULT 0;

-- The promise to users. Everything above is internal.

-- One metric's datapoints. In blocks there are few distinct labels: hops from one to the next, two
-- look-ups each, lead to the metric's own. So it is with seconds of late datapoints; those of an
-- hour are quicker counted through than hopped (1.6 ms against 14 for an hour with all of them).
CREATE VIEW datapoints (metric, timestamp, value) AS
  SELECT series.name, blocks.start + blocks.step * CAST(element.key AS INTEGER),
         CAST(element.atom AS REAL)
  FROM series CROSS JOIN (
    WITH RECURSIVE labels (label) AS (
      SELECT min(place) >> 29 FROM blocks
      UNION ALL
      SELECT (SELECT min(place) FROM blocks WHERE place >= (labels.label + 1) << 29) >> 29
      FROM labels WHERE labels.label IS NOT NULL
    )
    SELECT label FROM labels WHERE label IS NOT NULL
  ) AS spans
  CROSS JOIN blocks CROSS JOIN json_each(
    CAST(sqlar_uncompress(blocks.body, blocks.size) AS TEXT)  -- a blob might be taken for JSONB
  ) AS element
  WHERE blocks.place = (spans.label << 29) + series.id
    AND series.deleted IS NULL
    AND element.atom IS NOT NULL
    -- Cheap first: all but always a block is older than everything recent.
    AND (
      blocks.start + blocks.step * CAST(element.key AS INTEGER)
        < coalesce((SELECT min(place) >> 29 FROM (
            SELECT min(place) AS place FROM recent_0
            UNION ALL SELECT min(place) FROM recent_1
            UNION ALL SELECT min(place) FROM recent_2
            UNION ALL SELECT min(place) FROM recent_3
            UNION ALL SELECT min(place) FROM recent_late
          )), 9223372036854775807)
      OR NOT (EXISTS (SELECT 1 FROM recent_0 WHERE recent_0.place = series.id
          + ((blocks.start + blocks.step * CAST(element.key AS INTEGER)) << 29))
        OR EXISTS (SELECT 1 FROM recent_1 WHERE recent_1.place = series.id
          + ((blocks.start + blocks.step * CAST(element.key AS INTEGER)) << 29))
        OR EXISTS (SELECT 1 FROM recent_2 WHERE recent_2.place = series.id
          + ((blocks.start + blocks.step * CAST(element.key AS INTEGER)) << 29))
        OR EXISTS (SELECT 1 FROM recent_3 WHERE recent_3.place = series.id
          + ((blocks.start + blocks.step * CAST(element.key AS INTEGER)) << 29))
        OR EXISTS (SELECT 1 FROM recent_late WHERE recent_late.place = series.id
          + ((blocks.start + blocks.step * CAST(element.key AS INTEGER)) << 29)))
    )
  UNION ALL
  SELECT series.name, seconds.timestamp, recent_0.value
  FROM series CROSS JOIN (
    WITH RECURSIVE hops (timestamp) AS (
      SELECT min(place) >> 29 FROM recent_0
      UNION ALL
      SELECT CASE
          WHEN (hops.timestamp + 1) % 3600 THEN hops.timestamp + 1
          ELSE (SELECT min(place) FROM recent_0 WHERE place >= (hops.timestamp + 1) << 29) >> 29
        END
      FROM hops WHERE hops.timestamp < (SELECT max(place) >> 29 FROM recent_0)
    )
    SELECT timestamp FROM hops WHERE timestamp IS NOT NULL
  ) AS seconds CROSS JOIN recent_0
  WHERE recent_0.place = (seconds.timestamp << 29) + series.id AND series.deleted IS NULL
    AND NOT EXISTS (SELECT 1 FROM recent_late WHERE recent_late.place = recent_0.place)
  UNION ALL
  SELECT series.name, seconds.timestamp, recent_1.value
  FROM series CROSS JOIN (
    WITH RECURSIVE hops (timestamp) AS (
      SELECT min(place) >> 29 FROM recent_1
      UNION ALL
      SELECT CASE
          WHEN (hops.timestamp + 1) % 3600 THEN hops.timestamp + 1
          ELSE (SELECT min(place) FROM recent_1 WHERE place >= (hops.timestamp + 1) << 29) >> 29
        END
      FROM hops WHERE hops.timestamp < (SELECT max(place) >> 29 FROM recent_1)
    )
    SELECT timestamp FROM hops WHERE timestamp IS NOT NULL
  ) AS seconds CROSS JOIN recent_1
  WHERE recent_1.place = (seconds.timestamp << 29) + series.id AND series.deleted IS NULL
    AND NOT EXISTS (SELECT 1 FROM recent_late WHERE recent_late.place = recent_1.place)
  UNION ALL
  SELECT series.name, seconds.timestamp, recent_2.value
  FROM series CROSS JOIN (
    WITH RECURSIVE hops (timestamp) AS (
      SELECT min(place) >> 29 FROM recent_2
      UNION ALL
      SELECT CASE
          WHEN (hops.timestamp + 1) % 3600 THEN hops.timestamp + 1
          ELSE (SELECT min(place) FROM recent_2 WHERE place >= (hops.timestamp + 1) << 29) >> 29
        END
      FROM hops WHERE hops.timestamp < (SELECT max(place) >> 29 FROM recent_2)
    )
    SELECT timestamp FROM hops WHERE timestamp IS NOT NULL
  ) AS seconds CROSS JOIN recent_2
  WHERE recent_2.place = (seconds.timestamp << 29) + series.id AND series.deleted IS NULL
    AND NOT EXISTS (SELECT 1 FROM recent_late WHERE recent_late.place = recent_2.place)
  UNION ALL
  SELECT series.name, seconds.timestamp, recent_3.value
  FROM series CROSS JOIN (
    WITH RECURSIVE hops (timestamp) AS (
      SELECT min(place) >> 29 FROM recent_3
      UNION ALL
      SELECT CASE
          WHEN (hops.timestamp + 1) % 3600 THEN hops.timestamp + 1
          ELSE (SELECT min(place) FROM recent_3 WHERE place >= (hops.timestamp + 1) << 29) >> 29
        END
      FROM hops WHERE hops.timestamp < (SELECT max(place) >> 29 FROM recent_3)
    )
    SELECT timestamp FROM hops WHERE timestamp IS NOT NULL
  ) AS seconds CROSS JOIN recent_3
  WHERE recent_3.place = (seconds.timestamp << 29) + series.id AND series.deleted IS NULL
    AND NOT EXISTS (SELECT 1 FROM recent_late WHERE recent_late.place = recent_3.place)
  UNION ALL
  SELECT series.name, seconds.timestamp, recent_late.value
  FROM series CROSS JOIN (
    WITH RECURSIVE hops (timestamp) AS (
      SELECT min(place) >> 29 FROM recent_late
      UNION ALL
      SELECT (SELECT min(place) FROM recent_late WHERE place >= (hops.timestamp + 1) << 29) >> 29
      FROM hops WHERE hops.timestamp IS NOT NULL
    )
    SELECT timestamp FROM hops WHERE timestamp IS NOT NULL
  ) AS seconds CROSS JOIN recent_late
  WHERE recent_late.place = (seconds.timestamp << 29) + series.id AND series.deleted IS NULL;

CREATE VIEW datapoints_recent (metric, timestamp, value) AS
  SELECT series.name, recent.place >> 29, recent.value
  FROM recent CROSS JOIN series
  WHERE series.id = (recent.place & 536870911) AND series.deleted IS NULL;

CREATE VIEW rollups (metric, timestamp, min, max, mean, count) AS
  SELECT series.name, spans.label + 3600 * hour.key, json_extract(hour.value, '$[0]'),
         json_extract(hour.value, '$[1]'), json_extract(hour.value, '$[2]'),
         json_extract(hour.value, '$[3]')
  FROM series CROSS JOIN (
    WITH RECURSIVE labels (label) AS (
      SELECT min(place) >> 29 FROM day_rollups
      UNION ALL
      SELECT (SELECT min(place) FROM day_rollups WHERE place >= (labels.label + 1) << 29) >> 29
      FROM labels WHERE labels.label IS NOT NULL
    )
    SELECT label FROM labels WHERE label IS NOT NULL
  ) AS spans
  CROSS JOIN day_rollups
  CROSS JOIN json_each(CAST(sqlar_uncompress(day_rollups.body, day_rollups.size) AS TEXT)) AS hour
  WHERE day_rollups.place = (spans.label << 29) + series.id
    AND series.deleted IS NULL
    AND hour.type = 'array';

CREATE VIEW metrics (metric, interval, datapoints, first, last, state) AS
  SELECT series.name, summaries.interval, coalesce(summaries.datapoints, 0), summaries.first,
         summaries.last,
         CASE WHEN series.retired IS NULL THEN coalesce(summaries.state, 'learning')
              ELSE 'retired' END
  FROM series LEFT JOIN summaries ON summaries.series = series.id
  WHERE series.deleted IS NULL;

CREATE VIEW anomalies (id, metric, started, ended, peak, value, expected, lower, upper, score,
                       direction, kind, explanation) AS
  SELECT stretches.id, series.name, started, ended, peak, value, expected, lower, upper, score,
         direction, kind, explanation
  FROM stretches JOIN series ON series.id = stretches.series
  WHERE series.deleted IS NULL;
