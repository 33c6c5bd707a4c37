-- Who may see the pages. Links and sessions are kept as the SHA-256 of their secrets: whoever reads
-- this file, or a backup of it, can't sign in with what is here.

CREATE TABLE links (
  digest  BLOB PRIMARY KEY,
  expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
  digest  BLOB PRIMARY KEY,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- At most one: the password that opens the pages beside links, as scrypt makes it.
CREATE TABLE password (
  id     INTEGER PRIMARY KEY CHECK (id = 1),
  salt   BLOB NOT NULL,
  digest BLOB NOT NULL,
  cost   INTEGER NOT NULL
) STRICT;

-- What lasts or ended lately, and what one metric had, without reading every anomaly there ever was.
CREATE INDEX stretches_by_end ON stretches (ended);
CREATE INDEX stretches_of_series ON stretches (series, started);

-- When a key was last used (Unix s), to the nearest five minutes.
ALTER TABLE keys ADD COLUMN seen INTEGER;
