-- How a device's node is to be configured, as JSON; '' where nobody has chosen
-- anything.
ALTER TABLE device ADD COLUMN settings TEXT NOT NULL DEFAULT '';

-- What people should know, or should have known. Times are in ms since 1970
-- UTC, 0 for what has not happened.
CREATE TABLE alert (
	id              TEXT    PRIMARY KEY,
	kind            TEXT    NOT NULL,
	severity        TEXT    NOT NULL,
	device          TEXT    NOT NULL,
	text            TEXT    NOT NULL,
	raised_at       INTEGER NOT NULL,
	acknowledged_at INTEGER NOT NULL,
	acknowledged_by TEXT    NOT NULL,
	cleared_at      INTEGER NOT NULL
) STRICT;

CREATE INDEX alert_by_time ON alert (cleared_at = 0 DESC, raised_at DESC);

DROP VIEW v_devices;
CREATE VIEW v_devices AS
SELECT id, name, room, kind, node, channel, parent, settings FROM device;

CREATE VIEW v_alerts AS
SELECT id, kind, severity, device, text,
	strftime('%Y-%m-%dT%H:%M:%fZ', raised_at / 1000.0, 'unixepoch') AS raised_utc,
	strftime('%Y-%m-%dT%H:%M:%fZ', nullif(acknowledged_at, 0) / 1000.0, 'unixepoch') AS acknowledged_utc, acknowledged_by,
	strftime('%Y-%m-%dT%H:%M:%fZ', nullif(cleared_at, 0) / 1000.0, 'unixepoch') AS cleared_utc
FROM alert;
