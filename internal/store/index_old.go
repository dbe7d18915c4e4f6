package store

import (
	"context"
	"fmt"
	"iter"

	"github.com/iot-smart-meter/smartmeter"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// oldReadings yields the first form's readings, channel by channel in the order
// of their keys, each channel's oldest first; none after dropOld.
func (x *index) oldReadings(ctx context.Context) iter.Seq2[smartmeter.Reading, error] {
	return func(yield func(smartmeter.Reading, error) bool) {
		has, err := x.hasTable(ctx, "reading")
		if err != nil {
			yield(smartmeter.Reading{}, err)
		}
		if err != nil || !has {
			return
		}
		eachRow(ctx, x, "the first form's readings", `
			SELECT at, boot, seq, timing, voltage, current, power, energy, frequency, power_factor, node, channel.channel
			FROM channel CROSS JOIN reading ON reading.channel = key ORDER BY key, at, boot, seq`, nil,
			func(stmt *sqlite.Stmt) smartmeter.Reading {
				return scanIndexReading(stmt, smartmeter.NodeID(stmt.ColumnText(10)), uint8(stmt.ColumnInt(11)))
			})(yield)
	}
}

// oldRetained returns what the first form kept for the broker; nothing after
// dropOld.
func (x *index) oldRetained(ctx context.Context) ([]smartmeter.Message, error) {
	has, err := x.hasTable(ctx, "retained")
	if err != nil || !has {
		return nil, err
	}
	return allRows(eachRow(ctx, x, "the first form's retained messages", `SELECT topic, payload, qos FROM retained ORDER BY topic`, nil,
		func(stmt *sqlite.Stmt) smartmeter.Message {
			m := smartmeter.Message{Topic: stmt.ColumnText(0), QoS: uint8(stmt.ColumnInt(2)), Retained: true}
			m.Payload = make([]byte, stmt.ColumnLen(1))
			stmt.ColumnBytes(1, m.Payload)
			return m
		}))
}

func (x *index) hasTable(ctx context.Context, name string) (has bool, err error) {
	err = x.query(ctx, `SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?`, []any{name}, func(*sqlite.Stmt) error {
		has = true
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("look for the first form's tables: %w", err)
	}
	return has, nil
}

// dropOld deletes the first form's readings and retained messages for good,
// after they are durable elsewhere, and gives their room back. It may be
// repeated, and must be after an error.
//
// They are emptied without being overwritten, which would write all of them
// once more; instead the database is written anew without them. The tables
// go last, so that their being there says that there is work left.
func (x *index) dropOld(ctx context.Context) error {
	has, err := x.hasTable(ctx, "reading")
	if err != nil || !has {
		return err
	}
	conn, err := x.writer.Take(ctx)
	if err != nil {
		return fmt.Errorf("drop the first form: %w", err)
	}
	defer x.writer.Put(conn)
	if err := dropOldTables(conn); err != nil {
		return fmt.Errorf("drop the first form: %w", because(ctx, err))
	}
	return nil
}

func dropOldTables(conn *sqlite.Conn) (err error) {
	defer func() {
		if on := prepareWriter(conn); err == nil {
			err = on
		}
	}()
	for _, statement := range []string{
		`PRAGMA secure_delete = OFF`,
		`DELETE FROM reading`,
		`DELETE FROM retained`,
		`VACUUM`,
	} {
		if err := sqlitex.ExecuteTransient(conn, statement, nil); err != nil {
			return err
		}
	}
	if err := sqlitex.ExecuteScript(conn, `DROP TABLE reading; DROP TABLE retained;`, nil); err != nil {
		return err
	}
	return emptyLog(conn)
}
