-- What the readings of a sealed day came to, as package ledger packs it. chunk is
-- the version of the chunk that it was made from, 0 for a day of which there is
-- nothing but a correction; "of" is a hash of all that it was made from. begins
-- is the first day whose energy it has a say in.
CREATE TABLE energy_day (
	channel INTEGER NOT NULL REFERENCES channel (key) ON DELETE CASCADE,
	day     INTEGER NOT NULL,
	begins  INTEGER NOT NULL,
	chunk   INTEGER NOT NULL,
	"of"    BLOB    NOT NULL,
	packed  BLOB    NOT NULL,
	UNIQUE (channel, day)
) STRICT;

-- The energy of a month's sealed days by quarter hour, with all corrections; the
-- month counts from January 1970 UTC.
CREATE TABLE energy_month (
	channel INTEGER NOT NULL REFERENCES channel (key) ON DELETE CASCADE,
	month   INTEGER NOT NULL,
	packed  BLOB    NOT NULL,
	UNIQUE (channel, month)
) STRICT;

-- A hash of the corrections that a channel's months were made with.
CREATE TABLE energy_settled (
	channel INTEGER PRIMARY KEY REFERENCES channel (key) ON DELETE CASCADE,
	journal BLOB    NOT NULL
) STRICT;

-- What people decided about energy. Nothing in it is ever changed: an undo is a
-- row, too. Times are in ms since 1970 UTC, energy in Wh or NULL.
CREATE TABLE correction (
	id      TEXT    PRIMARY KEY,
	made    INTEGER NOT NULL,
	by      TEXT    NOT NULL,
	why     TEXT    NOT NULL,
	kind    TEXT    NOT NULL,
	node    TEXT    NOT NULL,
	channel INTEGER NOT NULL,
	from_at INTEGER NOT NULL,
	to_at   INTEGER NOT NULL,
	energy  INTEGER,
	device  TEXT    NOT NULL,
	target  TEXT    NOT NULL
) STRICT;

CREATE VIEW v_corrections AS
SELECT id, strftime('%Y-%m-%dT%H:%M:%fZ', made / 1000.0, 'unixepoch') AS made_utc, by, why, kind, node, channel,
	strftime('%Y-%m-%dT%H:%M:%fZ', nullif(from_at, 0) / 1000.0, 'unixepoch') AS from_utc,
	strftime('%Y-%m-%dT%H:%M:%fZ', nullif(to_at, 0) / 1000.0, 'unixepoch') AS to_utc,
	energy AS energy_wh, device, target
FROM correction;
