-- From here on the log and the monthly files are the truth, and this database
-- is the index over them: every table below can be made again from those. The
-- first form's readings and retained stay until the store has taken them over.

-- The channel's id in sealed chunks, 16 bytes, unique in the world.
ALTER TABLE channel ADD COLUMN uid BLOB;
UPDATE channel SET uid = randomblob(16);
CREATE UNIQUE INDEX channel_uid ON channel (uid);

-- Counts what became of a command, for change.version.
ALTER TABLE command ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

DELETE FROM setting WHERE name = 'probe';

-- Where a sealed day lies: month counts from January 1970, part, offset and
-- length name the frame in that month's files. day counts from 1970-01-01;
-- times are in ms since 1970 UTC, 0 where unknown; quantities is a set of
-- 1 voltage, 2 current, 4 power, 8 energy, 16 frequency, 32 power factor. Of
-- several versions the highest is valid; the others are for the case that it
-- is damaged.
CREATE TABLE chunk (
	channel    INTEGER NOT NULL REFERENCES channel (key) ON DELETE CASCADE,
	day        INTEGER NOT NULL,
	version    INTEGER NOT NULL,
	month      INTEGER NOT NULL,
	part       INTEGER NOT NULL,
	"offset"   INTEGER NOT NULL,
	length     INTEGER NOT NULL,
	count      INTEGER NOT NULL,
	first_at   INTEGER NOT NULL,
	last_at    INTEGER NOT NULL,
	quantities INTEGER NOT NULL,
	hash       BLOB    NOT NULL,
	PRIMARY KEY (channel, day, version DESC)
) STRICT, WITHOUT ROWID;

CREATE INDEX chunk_by_place ON chunk (month, part, "offset", length);

-- What a day adds up to, packed. The rows lie in the order in which they were
-- sealed, so that a seal adds pages at the end and does not divide others.
CREATE TABLE sums (
	channel INTEGER NOT NULL REFERENCES channel (key) ON DELETE CASCADE,
	day     INTEGER NOT NULL,
	version INTEGER NOT NULL,
	packed  BLOB    NOT NULL,
	UNIQUE (channel, day)
) STRICT;

-- The newest reading of each channel at the last seal, in the meter's units as
-- in the first form: 0.1 V, 1 mA, 0.1 W, 1 Wh, 0.1 Hz, 0.01; NULL is absent.
CREATE TABLE latest (
	channel      INTEGER PRIMARY KEY REFERENCES channel (key) ON DELETE CASCADE,
	at           INTEGER NOT NULL,
	boot         INTEGER NOT NULL,
	seq          INTEGER NOT NULL,
	timing       INTEGER NOT NULL,
	voltage      INTEGER,
	current      INTEGER,
	power        INTEGER,
	energy       INTEGER,
	frequency    INTEGER,
	power_factor INTEGER
) STRICT;

-- Which numbered samples are kept, as intervals: a sample that comes again is
-- known by them.
CREATE TABLE boot_span (
	channel   INTEGER NOT NULL REFERENCES channel (key) ON DELETE CASCADE,
	boot      INTEGER NOT NULL,
	first_seq INTEGER NOT NULL,
	last_seq  INTEGER NOT NULL,
	last_at   INTEGER NOT NULL,
	PRIMARY KEY (channel, boot, first_seq)
) STRICT, WITHOUT ROWID;

-- Up to where each monthly file is reflected here: id tells it from another file
-- of that name, "end" is an offset in bytes.
CREATE TABLE mark (
	file  TEXT    PRIMARY KEY,
	id    INTEGER NOT NULL,
	"end" INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Up to which position the log is reflected here; one row.
CREATE TABLE progress (
	id      INTEGER PRIMARY KEY CHECK (id = 1),
	applied INTEGER NOT NULL
) STRICT;

INSERT INTO progress (id, applied) VALUES (1, 0);

-- One sequence over everything that could be exported: chunks, sums ('<channel's
-- uid>/<date>') and commands ('<id>'). A key comes again with a higher version.
CREATE TABLE change (
	seq     INTEGER PRIMARY KEY AUTOINCREMENT,
	kind    TEXT    NOT NULL,
	key     TEXT    NOT NULL,
	version INTEGER NOT NULL
) STRICT;

CREATE TRIGGER chunk_new AFTER INSERT ON chunk BEGIN
	INSERT INTO change (kind, key, version) SELECT 'chunk', lower(hex(uid)) || '/' || date(new.day * 86400, 'unixepoch'), new.version FROM channel WHERE key = new.channel;
END;

CREATE TRIGGER chunk_changed AFTER UPDATE OF hash ON chunk WHEN new.hash <> old.hash BEGIN
	INSERT INTO change (kind, key, version) SELECT 'chunk', lower(hex(uid)) || '/' || date(new.day * 86400, 'unixepoch'), new.version FROM channel WHERE key = new.channel;
END;

CREATE TRIGGER sums_new AFTER INSERT ON sums BEGIN
	INSERT INTO change (kind, key, version) SELECT 'sums', lower(hex(uid)) || '/' || date(new.day * 86400, 'unixepoch'), new.version FROM channel WHERE key = new.channel;
END;

CREATE TRIGGER sums_changed AFTER UPDATE ON sums BEGIN
	INSERT INTO change (kind, key, version) SELECT 'sums', lower(hex(uid)) || '/' || date(new.day * 86400, 'unixepoch'), new.version FROM channel WHERE key = new.channel;
END;

CREATE TRIGGER command_new AFTER INSERT ON command BEGIN
	INSERT INTO change (kind, key, version) VALUES ('command', new.id, new.version);
END;

CREATE TRIGGER command_changed AFTER UPDATE ON command BEGIN
	INSERT INTO change (kind, key, version) VALUES ('command', new.id, new.version);
END;

-- For people with the sqlite3 shell: UTC times as text, units in the names.
CREATE VIEW v_channels AS
SELECT key, lower(hex(uid)) AS uid, node, channel FROM channel;

CREATE VIEW v_devices AS
SELECT id, name, room, kind, node, channel, parent FROM device;

CREATE VIEW v_commands AS
SELECT id, device, iif("on", 'on', 'off') AS asked, cause,
	strftime('%Y-%m-%dT%H:%M:%fZ', asked_at / 1000.0, 'unixepoch') AS asked_at_utc,
	state, watts, reason
FROM command;

CREATE VIEW v_chunks AS
SELECT node, channel.channel, date(day * 86400, 'unixepoch') AS day_utc, version, count AS readings,
	strftime('%Y-%m-%dT%H:%M:%fZ', nullif(first_at, 0) / 1000.0, 'unixepoch') AS first_at_utc,
	strftime('%Y-%m-%dT%H:%M:%fZ', nullif(last_at, 0) / 1000.0, 'unixepoch') AS last_at_utc,
	printf('%04d-%02d', 1970 + month / 12, 1 + month % 12) AS month_utc, part,
	"offset" AS offset_bytes, length AS length_bytes, lower(hex(hash)) AS sha256
FROM chunk JOIN channel ON channel.key = chunk.channel;

CREATE VIEW v_sums AS
SELECT node, channel.channel, date(day * 86400, 'unixepoch') AS day_utc, version, length(packed) AS packed_bytes
FROM sums JOIN channel ON channel.key = sums.channel;

CREATE VIEW v_latest AS
SELECT node, channel.channel,
	strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS at_utc,
	voltage / 10.0 AS voltage_v, current / 1000.0 AS current_a, power / 10.0 AS power_w,
	energy AS energy_wh, frequency / 10.0 AS frequency_hz, power_factor / 100.0 AS power_factor
FROM latest JOIN channel ON channel.key = latest.channel;
