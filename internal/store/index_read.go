package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// errEnough ends a query whose reader has seen enough.
var errEnough = errors.New("enough")

// query calls row for each row. The statement is prepared once for each
// connection, and reset also if row panics.
func (x *index) query(ctx context.Context, query string, args []any, row func(*sqlite.Stmt) error) error {
	conn, err := x.reader.Take(ctx)
	if err != nil {
		return x.because(ctx, err)
	}
	defer x.reader.Put(conn)
	stmt, err := conn.Prepare(query)
	if err != nil {
		return x.because(ctx, err)
	}
	defer stmt.Reset()
	// Execute finds stmt among those that are prepared.
	return x.because(ctx, sqlitex.Execute(conn, query, &sqlitex.ExecOptions{Args: args, ResultFunc: row}))
}

// eachRow yields what scan makes of each row.
func eachRow[T any](ctx context.Context, x *index, what, query string, args []any, scan func(*sqlite.Stmt) T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		err := x.query(ctx, query, args, func(stmt *sqlite.Stmt) error {
			if !yield(scan(stmt), nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			var none T
			yield(none, fmt.Errorf("read %s from the index: %w", what, err))
		}
	}
}

// allRows returns all that a sequence yields, or its error.
func allRows[T any](rows iter.Seq2[T, error]) (all []T, err error) {
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, nil
}

// channels returns all channels in the order of their keys.
func (x *index) channels(ctx context.Context) ([]channelRow, error) {
	return allRows(eachRow(ctx, x, "channels", `SELECT key, uid, node, channel FROM channel ORDER BY key`, nil,
		func(stmt *sqlite.Stmt) channelRow {
			r := channelRow{
				key:     channelKey(stmt.ColumnInt64(0)),
				node:    smartmeter.NodeID(stmt.ColumnText(2)),
				channel: uint8(stmt.ColumnInt(3)),
			}
			stmt.ColumnBytes(1, r.uid[:])
			return r
		}))
}

const chunkColumns = `channel, day, version, month, part, "offset", length, count, first_at, last_at, quantities, hash`

// chunks yields the sealed days from <= day < to of a channel, oldest day first,
// and of each day the newest version first. The older ones are for the case
// that the newest cannot be read.
func (x *index) chunks(ctx context.Context, channel channelKey, from, to chunk.Day) iter.Seq2[chunkRow, error] {
	return eachRow(ctx, x, "chunks",
		`SELECT `+chunkColumns+` FROM chunk WHERE channel = ? AND day >= ? AND day < ? ORDER BY day, version DESC`,
		[]any{channel, from, to}, scanChunk)
}

func scanChunk(stmt *sqlite.Stmt) chunkRow {
	r := chunkRow{
		channel: channelKey(stmt.ColumnInt64(0)),
		day:     chunk.Day(stmt.ColumnInt64(1)),
		version: uint32(stmt.ColumnInt64(2)),
		place: place{
			month:  stmt.ColumnInt32(3),
			part:   uint32(stmt.ColumnInt64(4)),
			offset: stmt.ColumnInt64(5),
			length: stmt.ColumnInt32(6),
		},
		count:      stmt.ColumnInt(7),
		first:      smartmeter.Instant(stmt.ColumnInt64(8)),
		last:       smartmeter.Instant(stmt.ColumnInt64(9)),
		quantities: smartmeter.Quantities(stmt.ColumnInt(10)),
	}
	stmt.ColumnBytes(11, r.hash[:])
	return r
}

// sums yields what the days from <= day < to of a channel add up to, oldest
// first. packed is valid until the next row.
func (x *index) sums(ctx context.Context, channel channelKey, from, to chunk.Day) iter.Seq2[sumsRow, error] {
	var buf []byte
	return eachRow(ctx, x, "sums",
		`SELECT day, packed FROM sums WHERE channel = ? AND day >= ? AND day < ? ORDER BY day`,
		[]any{channel, from, to}, func(stmt *sqlite.Stmt) sumsRow {
			n := stmt.ColumnLen(1)
			if n > cap(buf) {
				buf = make([]byte, n+n/2)
			}
			stmt.ColumnBytes(1, buf[:n])
			return sumsRow{channel: channel, day: chunk.Day(stmt.ColumnInt64(0)), packed: buf[:n]}
		})
}

// latest returns the reading that was the newest of each channel when it was
// last applied.
func (x *index) latest(ctx context.Context) ([]latestRow, error) {
	return allRows(eachRow(ctx, x, "latest readings", `
		SELECT at, boot, seq, timing, voltage, current, power, energy, frequency, power_factor, node, channel.channel, key
		FROM latest JOIN channel ON key = latest.channel ORDER BY key`, nil,
		func(stmt *sqlite.Stmt) latestRow {
			return latestRow{
				channel: channelKey(stmt.ColumnInt64(12)),
				reading: scanIndexReading(stmt, smartmeter.NodeID(stmt.ColumnText(10)), uint8(stmt.ColumnInt(11))),
			}
		}))
}

// scanIndexReading reads at, boot, seq, timing and the six quantities.
func scanIndexReading(stmt *sqlite.Stmt, node smartmeter.NodeID, channel uint8) smartmeter.Reading {
	r := smartmeter.Reading{
		Node:    node,
		Channel: channel,
		At:      smartmeter.Instant(stmt.ColumnInt64(0)),
		Boot:    smartmeter.BootID(stmt.ColumnInt64(1)),
		Seq:     uint32(stmt.ColumnInt64(2)),
		Timing:  smartmeter.Timing(stmt.ColumnInt(3)),
		Measurement: smartmeter.Measurement{
			Voltage:     smartmeter.Decivolt(stmt.ColumnInt64(4)),
			Current:     smartmeter.Milliamp(stmt.ColumnInt64(5)),
			Power:       smartmeter.Deciwatt(stmt.ColumnInt64(6)),
			Energy:      smartmeter.WattHour(stmt.ColumnInt64(7)),
			Frequency:   smartmeter.Decihertz(stmt.ColumnInt64(8)),
			PowerFactor: smartmeter.Hundredth(stmt.ColumnInt64(9)),
		},
	}
	for i := range 6 {
		if !stmt.ColumnIsNull(4 + i) {
			r.Has |= smartmeter.Quantities(1 << i)
		}
	}
	return r
}

// boots yields which numbered samples are kept, by channel, boot and sequence.
func (x *index) boots(ctx context.Context) iter.Seq2[bootSpan, error] {
	return eachRow(ctx, x, "boots",
		`SELECT channel, boot, first_seq, last_seq, last_at FROM boot_span ORDER BY channel, boot, first_seq`, nil,
		func(stmt *sqlite.Stmt) bootSpan {
			return bootSpan{
				channel: channelKey(stmt.ColumnInt64(0)),
				boot:    smartmeter.BootID(stmt.ColumnInt64(1)),
				first:   uint32(stmt.ColumnInt64(2)),
				last:    uint32(stmt.ColumnInt64(3)),
				lastAt:  smartmeter.Instant(stmt.ColumnInt64(4)),
			}
		})
}

// devices returns all devices in the order of their ids.
func (x *index) devices(ctx context.Context) ([]smartmeter.Device, error) {
	return allRows(eachRow(ctx, x, "devices", `SELECT id, name, room, kind, node, channel, parent, settings FROM device ORDER BY id`, nil,
		func(stmt *sqlite.Stmt) smartmeter.Device {
			d := smartmeter.Device{
				ID:      smartmeter.DeviceID(stmt.ColumnText(0)),
				Name:    stmt.ColumnText(1),
				Room:    stmt.ColumnText(2),
				Kind:    smartmeter.LoadKind(stmt.ColumnText(3)),
				Node:    smartmeter.NodeID(stmt.ColumnText(4)),
				Channel: uint8(stmt.ColumnInt(5)),
				Parent:  smartmeter.DeviceID(stmt.ColumnText(6)),
			}
			_ = json.Unmarshal([]byte(stmt.ColumnText(7)), &d.Settings) // "" is none
			return d
		}))
}

// commands returns a device's newest commands, newest first.
func (x *index) commands(ctx context.Context, device smartmeter.DeviceID, limit int) ([]smartmeter.Command, error) {
	return allRows(eachRow(ctx, x, "commands", `
		SELECT id, device, "on", cause, asked_at, state, watts, reason FROM command
		WHERE device = ? ORDER BY asked_at DESC, rowid DESC LIMIT ?`, []any{device, limit},
		func(stmt *sqlite.Stmt) smartmeter.Command {
			return smartmeter.Command{
				ID:      stmt.ColumnText(0),
				Device:  smartmeter.DeviceID(stmt.ColumnText(1)),
				On:      stmt.ColumnBool(2),
				Cause:   smartmeter.Cause(stmt.ColumnText(3)),
				AskedAt: smartmeter.Instant(stmt.ColumnInt64(4)),
				State:   smartmeter.CommandState(stmt.ColumnText(5)),
				Watts:   smartmeter.WattsVerdict(stmt.ColumnText(6)),
				Reason:  stmt.ColumnText(7),
			}
		}))
}

// settings returns all settings.
func (x *index) settings(ctx context.Context) (map[string]string, error) {
	all := make(map[string]string)
	err := x.query(ctx, `SELECT name, value FROM setting`, nil, func(stmt *sqlite.Stmt) error {
		all[stmt.ColumnText(0)] = stmt.ColumnText(1)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read settings from the index: %w", err)
	}
	return all, nil
}

// marks returns up to where each monthly file is reflected here.
func (x *index) marks(ctx context.Context) (archive.Marks, error) {
	all := make(archive.Marks)
	err := x.query(ctx, `SELECT file, id, "end" FROM mark`, nil, func(stmt *sqlite.Stmt) error {
		all[stmt.ColumnText(0)] = archive.Mark{ID: uint64(stmt.ColumnInt64(1)), End: stmt.ColumnInt64(2)}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read marks from the index: %w", err)
	}
	return all, nil
}

// applied returns up to which position the log is reflected here; 0 for not at
// all.
func (x *index) applied(ctx context.Context) (position uint64, err error) {
	err = x.query(ctx, `SELECT applied FROM progress`, nil, func(stmt *sqlite.Stmt) error {
		position = uint64(stmt.ColumnInt64(0))
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("read the log's position from the index: %w", err)
	}
	return position, nil
}

// months returns how much is in each month's files, oldest month first: all
// versions of sealed days, without what frames add.
func (x *index) months(ctx context.Context) ([]monthSize, error) {
	return allRows(eachRow(ctx, x, "months", `SELECT month, count(*), sum(length) FROM chunk GROUP BY month ORDER BY month`, nil,
		func(stmt *sqlite.Stmt) monthSize {
			return monthSize{month: stmt.ColumnInt32(0), chunks: stmt.ColumnInt(1), bytes: stmt.ColumnInt64(2)}
		}))
}

// changes returns at most limit changes after a sequence number, in order.
// Numbers only grow, and some are missing: what was erased.
func (x *index) changes(ctx context.Context, after int64, limit int) ([]changeRow, error) {
	return allRows(eachRow(ctx, x, "changes", `SELECT seq, kind, key, version FROM change WHERE seq > ? ORDER BY seq LIMIT ?`,
		[]any{after, limit}, func(stmt *sqlite.Stmt) changeRow {
			return changeRow{
				seq:     stmt.ColumnInt64(0),
				kind:    stmt.ColumnText(1),
				key:     stmt.ColumnText(2),
				version: stmt.ColumnInt64(3),
			}
		}))
}
