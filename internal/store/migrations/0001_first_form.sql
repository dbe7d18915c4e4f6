-- A metering channel of a node. Readings name it by its small key.
CREATE TABLE channel (
	key     INTEGER PRIMARY KEY,
	node    TEXT    NOT NULL,
	channel INTEGER NOT NULL,
	UNIQUE (node, channel)
) STRICT;

-- Every reading as it was measured, in the meter's units: 0.1 V, 1 mA, 0.1 W,
-- 1 Wh, 0.1 Hz, 0.01. NULL is absent. at is in ms since 1970 UTC; timing is 0
-- (by the node) or 1 (by arrival); boot and seq are 0 for nodes that do not
-- number their samples.
CREATE TABLE reading (
	channel      INTEGER NOT NULL REFERENCES channel (key),
	at           INTEGER NOT NULL,
	boot         INTEGER NOT NULL,
	seq          INTEGER NOT NULL,
	timing       INTEGER NOT NULL,
	voltage      INTEGER,
	current      INTEGER,
	power        INTEGER,
	energy       INTEGER,
	frequency    INTEGER,
	power_factor INTEGER,
	PRIMARY KEY (channel, at, boot, seq)
) STRICT, WITHOUT ROWID;

-- A numbered sample is kept once, also when it comes again with another time.
CREATE UNIQUE INDEX reading_identity ON reading (channel, boot, seq) WHERE seq > 0;

CREATE TABLE device (
	id      TEXT    PRIMARY KEY,
	name    TEXT    NOT NULL,
	room    TEXT    NOT NULL,
	kind    TEXT    NOT NULL,
	node    TEXT    NOT NULL,
	channel INTEGER NOT NULL,
	parent  TEXT    NOT NULL
) STRICT;

CREATE TABLE command (
	id       TEXT    PRIMARY KEY,
	device   TEXT    NOT NULL,
	"on"     INTEGER NOT NULL,
	cause    TEXT    NOT NULL,
	asked_at INTEGER NOT NULL,
	state    TEXT    NOT NULL,
	watts    TEXT    NOT NULL,
	reason   TEXT    NOT NULL
) STRICT;

CREATE INDEX command_by_device ON command (device, asked_at DESC);

-- What the broker keeps for subscribers to come.
CREATE TABLE retained (
	topic   TEXT    PRIMARY KEY,
	payload BLOB    NOT NULL,
	qos     INTEGER NOT NULL
) STRICT;

-- Single values: the site's id, the log's id, the last health probe.
CREATE TABLE setting (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT;
