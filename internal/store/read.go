package store

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

const readingColumns = `at, boot, seq, timing, voltage, current, power, energy, frequency, power_factor`

// Readings yields a channel's readings with from <= At < to, oldest first.
func (s *Store) Readings(ctx context.Context, node smartmeter.NodeID, channel uint8, from, to smartmeter.Instant) iter.Seq2[smartmeter.Reading, error] {
	return func(yield func(smartmeter.Reading, error) bool) {
		conn, err := s.take(ctx)
		if err != nil {
			yield(smartmeter.Reading{}, err)
			return
		}
		defer s.pool.Put(conn)
		key, err := findChannel(conn, channelID{node, channel})
		if err != nil {
			yield(smartmeter.Reading{}, err)
			return
		}
		stmt, err := conn.Prepare(`SELECT ` + readingColumns + ` FROM reading WHERE channel = ? AND at >= ? AND at < ? ORDER BY at, boot, seq`)
		if err != nil {
			yield(smartmeter.Reading{}, err)
			return
		}
		defer stmt.Reset()
		stmt.BindInt64(1, key)
		stmt.BindInt64(2, int64(from))
		stmt.BindInt64(3, int64(to))
		for {
			row, err := stmt.Step()
			if err != nil {
				yield(smartmeter.Reading{}, fmt.Errorf("read readings: %w", err))
				return
			}
			if !row || !yield(scanReading(stmt, channelID{node, channel}), nil) {
				return
			}
		}
	}
}

// latestDepth is how many readings are gathered into the latest one: enough
// for the fielded sketch, which sends its energy with every twelfth.
const latestDepth = 32

// Latest returns the newest reading of every channel, as smartmeter.Reading.After
// says.
func (s *Store) Latest(ctx context.Context) ([]smartmeter.Reading, error) {
	conn, err := s.take(ctx)
	if err != nil {
		return nil, err
	}
	defer s.pool.Put(conn)
	var all []smartmeter.Reading
	err = sqlitex.Execute(conn, `SELECT key, node, channel FROM channel ORDER BY key`, &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			id := channelID{smartmeter.NodeID(stmt.ColumnText(1)), uint8(stmt.ColumnInt(2))}
			latest, err := latestOf(conn, id, stmt.ColumnInt64(0))
			if latest != nil {
				all = append(all, *latest)
			}
			return err
		},
	})
	return all, err
}

func latestOf(conn *sqlite.Conn, id channelID, key int64) (latest *smartmeter.Reading, err error) {
	const newest = `SELECT ` + readingColumns + ` FROM reading WHERE channel = ? ORDER BY at DESC, boot DESC, seq DESC LIMIT ?`
	err = sqlitex.Execute(conn, `SELECT * FROM (`+newest+`) ORDER BY at, boot, seq`, &sqlitex.ExecOptions{
		Args: []any{key, latestDepth},
		ResultFunc: func(stmt *sqlite.Stmt) error {
			r := scanReading(stmt, id).After(latest)
			latest = &r
			return nil
		},
	})
	return latest, err
}

// Devices returns all devices.
func (s *Store) Devices(ctx context.Context) ([]smartmeter.Device, error) {
	conn, err := s.take(ctx)
	if err != nil {
		return nil, err
	}
	defer s.pool.Put(conn)
	var all []smartmeter.Device
	err = sqlitex.Execute(conn, `SELECT id, name, room, kind, node, channel, parent FROM device ORDER BY id`, &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			all = append(all, smartmeter.Device{
				ID:      smartmeter.DeviceID(stmt.ColumnText(0)),
				Name:    stmt.ColumnText(1),
				Room:    stmt.ColumnText(2),
				Kind:    smartmeter.LoadKind(stmt.ColumnText(3)),
				Node:    smartmeter.NodeID(stmt.ColumnText(4)),
				Channel: uint8(stmt.ColumnInt(5)),
				Parent:  smartmeter.DeviceID(stmt.ColumnText(6)),
			})
			return nil
		},
	})
	return all, err
}

// Commands returns a device's newest commands, newest first.
func (s *Store) Commands(ctx context.Context, device smartmeter.DeviceID, limit int) ([]smartmeter.Command, error) {
	conn, err := s.take(ctx)
	if err != nil {
		return nil, err
	}
	defer s.pool.Put(conn)
	var all []smartmeter.Command
	err = sqlitex.Execute(conn, `SELECT id, device, "on", cause, asked_at, state, watts, reason FROM command WHERE device = ? ORDER BY asked_at DESC, rowid DESC LIMIT ?`, &sqlitex.ExecOptions{
		Args: []any{string(device), limit},
		ResultFunc: func(stmt *sqlite.Stmt) error {
			all = append(all, smartmeter.Command{
				ID:      stmt.ColumnText(0),
				Device:  smartmeter.DeviceID(stmt.ColumnText(1)),
				On:      stmt.ColumnBool(2),
				Cause:   smartmeter.Cause(stmt.ColumnText(3)),
				AskedAt: smartmeter.Instant(stmt.ColumnInt64(4)),
				State:   smartmeter.CommandState(stmt.ColumnText(5)),
				Watts:   smartmeter.WattsVerdict(stmt.ColumnText(6)),
				Reason:  stmt.ColumnText(7),
			})
			return nil
		},
	})
	return all, err
}

// Retained returns what was kept for the broker.
func (s *Store) Retained(ctx context.Context) ([]smartmeter.Message, error) {
	conn, err := s.take(ctx)
	if err != nil {
		return nil, err
	}
	defer s.pool.Put(conn)
	var all []smartmeter.Message
	err = sqlitex.Execute(conn, `SELECT topic, payload, qos FROM retained ORDER BY topic`, &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			m := smartmeter.Message{Topic: stmt.ColumnText(0), QoS: uint8(stmt.ColumnInt(2)), Retained: true}
			m.Payload = make([]byte, stmt.ColumnLen(1))
			stmt.ColumnBytes(1, m.Payload)
			all = append(all, m)
			return nil
		},
	})
	return all, err
}

// Check writes a mark and reads it back on another connection.
func (s *Store) Check(ctx context.Context) error {
	mark := time.Now().UTC().Format(time.RFC3339Nano)
	if err := s.writeMark(ctx, mark); err != nil {
		return fmt.Errorf("the database takes no writes: %w", err)
	}
	conn, err := s.take(ctx)
	if err != nil {
		return err
	}
	defer s.pool.Put(conn)
	found := ""
	err = sqlitex.Execute(conn, `SELECT value FROM setting WHERE name = 'probe'`, &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			found = stmt.ColumnText(0)
			return nil
		},
	})
	if err == nil && found < mark {
		err = fmt.Errorf("what is written does not come back: wrote %q, read %q", mark, found)
	}
	return err
}

func (s *Store) writeMark(ctx context.Context, mark string) error {
	if err := s.writing.lock(ctx); err != nil {
		return err
	}
	defer s.writing.unlock()
	return sqlitex.Execute(s.writer, `INSERT OR REPLACE INTO setting (name, value) VALUES ('probe', ?)`,
		&sqlitex.ExecOptions{Args: []any{mark}})
}

// take returns a connection for queries, after making all that was written
// before visible to it.
func (s *Store) take(ctx context.Context) (*sqlite.Conn, error) {
	if err := s.Sync(ctx); err != nil {
		// Old readings are served also while the disk takes no new ones.
		s.log.Debug("a query misses what could not be written yet", "err", err)
	}
	return s.pool.Take(ctx)
}

// findChannel returns the key of a channel, 0 if it has no readings.
func findChannel(conn *sqlite.Conn, id channelID) (key int64, err error) {
	err = sqlitex.Execute(conn, `SELECT key FROM channel WHERE node = ? AND channel = ?`, &sqlitex.ExecOptions{
		Args: []any{string(id.node), int64(id.channel)},
		ResultFunc: func(stmt *sqlite.Stmt) error {
			key = stmt.ColumnInt64(0)
			return nil
		},
	})
	return key, err
}

// scanReading reads readingColumns.
func scanReading(stmt *sqlite.Stmt, id channelID) smartmeter.Reading {
	r := smartmeter.Reading{
		Node:    id.node,
		Channel: id.channel,
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
