package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// indexChange is what a seal, a human action or a replay makes known. Erasures
// come first and everything else after them, in the order of the fields: what a
// change erases and writes, is written.
type indexChange struct {
	erased []erasedEntry
	// moved tells where frames lie after a rewrite, gone which of them it
	// dropped.
	moved map[place]place
	gone  []place

	// channels must be known before anything else names their key.
	channels []channelRow
	chunks   []chunkRow
	sums     []sumsRow
	latest   []latestRow
	// boots replaces all spans of each channel and boot that it mentions.
	boots    []bootSpan
	devices  []smartmeter.Device
	commands []smartmeter.Command
	alerts   []smartmeter.Alert
	// corrections are kept as they were made first.
	corrections []smartmeter.Correction
	energy      []energyChange
	settings    map[string]string
	// marks replaces all of them, unless it is nil: up to where each monthly file
	// is reflected in the index.
	marks archive.Marks
	// applied is the log's position up to which it is reflected in the index;
	// 0 leaves it.
	applied uint64
}

// apply makes c durable, all of it or, with an error, nothing. The exception
// is errNotYetScrubbed: then c is applied.
func (x *index) apply(ctx context.Context, c indexChange) error {
	conn, err := x.writer.Take(ctx)
	if err != nil {
		return fmt.Errorf("write to the index: %w", x.because(ctx, err))
	}
	defer x.writer.Put(conn)
	if err := transact(conn, c); err != nil {
		return fmt.Errorf("write to the index: %w", x.because(ctx, err))
	}
	x.unclean = x.unclean || len(c.erased) > 0
	if !x.unclean {
		return nil
	}
	if err := emptyLog(conn); err != nil {
		return fmt.Errorf("%w: %w", errNotYetScrubbed, x.because(ctx, err))
	}
	x.unclean = false
	return nil
}

func transact(conn *sqlite.Conn, c indexChange) (err error) {
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return err
	}
	defer end(&err)
	t := indexWriter{conn}
	for _, write := range []func(indexChange) error{
		t.erase, t.move, t.drop, t.putChannels, t.putChunks, t.putSums, t.putLatest, t.putBoots,
		t.putDevices, t.putCommands, t.putAlerts, t.putCorrections, t.putEnergy, t.putSettings, t.putMarks, t.putApplied,
	} {
		if err := write(c); err != nil {
			return err
		}
	}
	return nil
}

// indexWriter writes the parts of a change within a transaction. Rows that are
// there already stay untouched: they cost no write, and are no change.
type indexWriter struct{ conn *sqlite.Conn }

// do runs a statement, which the connection prepares once.
func (t indexWriter) do(query string, args ...any) error {
	return sqlitex.Execute(t.conn, query, &sqlitex.ExecOptions{Args: args})
}

// putChannels takes a name from a channel that had it and was forgotten, see
// nameless.
func (t indexWriter) putChannels(c indexChange) error {
	for _, r := range c.channels {
		if err := t.do(`
			UPDATE channel SET node = '?' || lower(hex(uid)) WHERE node = ? AND channel = ? AND key <> ?`,
			r.node, r.channel, r.key); err != nil {
			return err
		}
		if err := t.do(`
			INSERT INTO channel (key, uid, node, channel) VALUES (?, ?, ?, ?)
			ON CONFLICT (key) DO UPDATE SET uid = excluded.uid, node = excluded.node, channel = excluded.channel
			WHERE (uid, node, channel) IS NOT (excluded.uid, excluded.node, excluded.channel)`,
			r.key, r.uid[:], r.node, r.channel); err != nil {
			return fmt.Errorf("channel %s:%d: %w", r.node, r.channel, err)
		}
	}
	return nil
}

func (t indexWriter) putChunks(c indexChange) error {
	for _, r := range c.chunks {
		if err := t.do(`
			INSERT INTO chunk (channel, day, version, month, part, "offset", length, count, first_at, last_at, quantities, hash)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (channel, day, version) DO UPDATE SET
				month = excluded.month, part = excluded.part, "offset" = excluded."offset", length = excluded.length,
				count = excluded.count, first_at = excluded.first_at, last_at = excluded.last_at,
				quantities = excluded.quantities, hash = excluded.hash
			WHERE (month, part, "offset", length, hash) IS NOT
				(excluded.month, excluded.part, excluded."offset", excluded.length, excluded.hash)`,
			r.channel, r.day, r.version, r.place.month, r.place.part, r.place.offset, r.place.length,
			r.count, r.first, r.last, r.quantities, r.hash[:]); err != nil {
			return fmt.Errorf("chunk of channel %d, %s: %w", r.channel, r.day, err)
		}
	}
	return nil
}

// putSums gives sums the version of the chunk that they come from, or the next
// one if it is the way of adding up that changed.
func (t indexWriter) putSums(c indexChange) error {
	for _, r := range c.sums {
		if err := t.do(`
			INSERT INTO sums (channel, day, version, packed)
			VALUES (?1, ?2, coalesce((SELECT max(version) FROM chunk WHERE channel = ?1 AND day = ?2), 1), ?3)
			ON CONFLICT (channel, day) DO UPDATE SET version = max(version + 1, excluded.version), packed = excluded.packed
			WHERE packed <> excluded.packed`,
			r.channel, r.day, r.packed); err != nil {
			return fmt.Errorf("sums of channel %d, %s: %w", r.channel, r.day, err)
		}
	}
	return nil
}

func (t indexWriter) putLatest(c indexChange) error {
	for _, l := range c.latest {
		r := l.reading
		measured := func(q smartmeter.Quantities, value int64) any {
			if !r.Has.Has(q) {
				return nil
			}
			return value
		}
		if err := t.do(`
			INSERT OR REPLACE INTO latest (channel, at, boot, seq, timing, voltage, current, power, energy, frequency, power_factor)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			l.channel, r.At, r.Boot, r.Seq, r.Timing,
			measured(smartmeter.Voltage, int64(r.Voltage)), measured(smartmeter.Current, int64(r.Current)),
			measured(smartmeter.Power, int64(r.Power)), measured(smartmeter.Energy, int64(r.Energy)),
			measured(smartmeter.Frequency, int64(r.Frequency)), measured(smartmeter.PowerFactor, int64(r.PowerFactor))); err != nil {
			return fmt.Errorf("latest reading of channel %d: %w", l.channel, err)
		}
	}
	return nil
}

func (t indexWriter) putBoots(c indexChange) error {
	for _, s := range c.boots {
		if err := t.do(`DELETE FROM boot_span WHERE channel = ? AND boot = ?`, s.channel, s.boot); err != nil {
			return err
		}
	}
	for _, s := range c.boots {
		if err := t.do(`INSERT INTO boot_span (channel, boot, first_seq, last_seq, last_at) VALUES (?, ?, ?, ?, ?)`,
			s.channel, s.boot, s.first, s.last, s.lastAt); err != nil {
			return fmt.Errorf("boot %08x of channel %d: %w", s.boot, s.channel, err)
		}
	}
	return nil
}

func (t indexWriter) putDevices(c indexChange) error {
	for _, d := range c.devices {
		if err := t.do(`
			INSERT INTO device (id, name, room, kind, node, channel, parent, settings) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET name = excluded.name, room = excluded.room, kind = excluded.kind,
				node = excluded.node, channel = excluded.channel, parent = excluded.parent, settings = excluded.settings
			WHERE (name, room, kind, node, channel, parent, settings) IS NOT
				(excluded.name, excluded.room, excluded.kind, excluded.node, excluded.channel, excluded.parent, excluded.settings)`,
			d.ID, d.Name, d.Room, d.Kind, d.Node, d.Channel, d.Parent, encodeSettings(d.Settings)); err != nil {
			return fmt.Errorf("device %s: %w", d.ID, err)
		}
	}
	return nil
}

// encodeSettings returns settings as the index has them, "" for none.
func encodeSettings(s smartmeter.Settings) string {
	if s == (smartmeter.Settings{}) {
		return ""
	}
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings and integers only
	}
	return string(text)
}

func (t indexWriter) putCommands(c indexChange) error {
	for _, k := range c.commands {
		if err := t.do(`
			INSERT INTO command (id, device, "on", cause, asked_at, state, watts, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET device = excluded.device, "on" = excluded."on", cause = excluded.cause,
				asked_at = excluded.asked_at, state = excluded.state, watts = excluded.watts, reason = excluded.reason,
				version = version + 1
			WHERE (device, "on", cause, asked_at, state, watts, reason) IS NOT
				(excluded.device, excluded."on", excluded.cause, excluded.asked_at, excluded.state, excluded.watts, excluded.reason)`,
			k.ID, k.Device, k.On, k.Cause, k.AskedAt, k.State, k.Watts, k.Reason); err != nil {
			return fmt.Errorf("command %s: %w", k.ID, err)
		}
	}
	return nil
}

func (t indexWriter) putSettings(c indexChange) error {
	for _, name := range slices.Sorted(maps.Keys(c.settings)) {
		value := c.settings[name]
		if err := t.do(`
			INSERT INTO setting (name, value) VALUES (?, ?)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE value <> excluded.value`, name, value); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	return nil
}

func (t indexWriter) putMarks(c indexChange) error {
	if c.marks == nil {
		return nil
	}
	if err := t.do(`DELETE FROM mark`); err != nil {
		return err
	}
	for _, file := range slices.Sorted(maps.Keys(c.marks)) {
		mark := c.marks[file]
		if err := t.do(`INSERT INTO mark (file, id, "end") VALUES (?, ?, ?)`, file, int64(mark.ID), mark.End); err != nil {
			return fmt.Errorf("mark of %s: %w", file, err)
		}
	}
	return nil
}

func (t indexWriter) putApplied(c indexChange) error {
	if c.applied == 0 {
		return nil
	}
	return t.do(`UPDATE progress SET applied = ? WHERE applied <> ?1`, c.applied)
}

// move relies on places being used once: no chunk moves to where another was.
func (t indexWriter) move(c indexChange) error {
	for _, from := range slices.SortedFunc(maps.Keys(c.moved), place.compare) {
		to := c.moved[from]
		if err := t.do(`
			UPDATE chunk SET month = ?, part = ?, "offset" = ?, length = ?
			WHERE month = ? AND part = ? AND "offset" = ?`,
			to.month, to.part, to.offset, to.length, from.month, from.part, from.offset); err != nil {
			return err
		}
	}
	return nil
}

func (t indexWriter) drop(c indexChange) error {
	for _, p := range c.gone {
		if err := t.do(`DELETE FROM chunk WHERE month = ? AND part = ? AND "offset" = ?`, p.month, p.part, p.offset); err != nil {
			return err
		}
	}
	return nil
}

// erase deletes what c erases. A channel takes its chunks, sums, boots and
// latest reading with it.
func (t indexWriter) erase(c indexChange) error {
	for _, e := range c.erased {
		if err := errors.Join(t.eraseChannels(e.Channels), t.eraseDevice(e.Device.ID), t.eraseCorrections(e.Device)); err != nil {
			return fmt.Errorf("erase %s: %w", e.Device.ID, err)
		}
	}
	return nil
}

func (t indexWriter) eraseChannels(uids []chunk.ID) error {
	for _, uid := range uids {
		if err := t.eraseOld(uid); err != nil {
			return err
		}
		if err := t.do(`
			DELETE FROM change WHERE kind IN ('chunk', 'sums') AND key GLOB lower(hex(?)) || '/*'`, uid[:]); err != nil {
			return err
		}
		if err := t.do(`DELETE FROM channel WHERE uid = ?`, uid[:]); err != nil {
			return err
		}
	}
	return nil
}

func (t indexWriter) eraseDevice(id smartmeter.DeviceID) error {
	if err := t.do(`
		DELETE FROM change WHERE kind = 'command'
		AND key IN (SELECT id FROM command WHERE device = ?)`, id); err != nil {
		return err
	}
	if err := t.do(`DELETE FROM command WHERE device = ?`, id); err != nil {
		return err
	}
	if err := t.do(`DELETE FROM alert WHERE device = ?`, id); err != nil {
		return err
	}
	return t.do(`DELETE FROM device WHERE id = ?`, id)
}

// eraseOld deletes a channel's readings of the first form, where it is still there.
func (t indexWriter) eraseOld(uid chunk.ID) error {
	old, err := number(t.conn, `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'reading'`)
	if err != nil || old == 0 {
		return err
	}
	return t.do(`DELETE FROM reading WHERE channel = (SELECT key FROM channel WHERE uid = ?)`, uid[:])
}
