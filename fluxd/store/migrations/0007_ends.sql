-- Whether a channel is told that an incident is over.
ALTER TABLE channels ADD COLUMN resolved INTEGER NOT NULL DEFAULT 1;

-- Which key told of a window, NULL: a person. A key may tell of so many.
ALTER TABLE expected_windows ADD COLUMN key INTEGER;
CREATE INDEX expected_windows_by_key ON expected_windows (key);
