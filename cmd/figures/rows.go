package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/iot-smart-meter/smartmeter"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// rowDays is how many days of ten devices are kept as rows: a year of them would
// be 7 GB.
const rowDays = 10

// measureRows keeps the same noisy readings as rows, one for each message, and
// asks for the same as of a sealed year.
func measureRows(_ context.Context, b *bench) (_ []*figure, err error) {
	days := min(b.days, rowDays)
	size := &figure{name: "SQLite: a row for each message, its bytes in the database", unit: "B"}
	day := &figure{name: "SQLite: a day of a device, all six quantities of every row", unit: "ms"}
	hours := &figure{name: fmt.Sprintf("SQLite: %d days of a device's power by hour", days), unit: "ms"}
	dir, err := b.newDir()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "rows.db")
	conn, err := openRows(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := insertDays(conn, days); err != nil {
		return nil, err
	}
	if err := sqlitex.ExecuteTransient(conn, `PRAGMA wal_checkpoint(TRUNCATE)`, nil); err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	perDay := int(dayMillis / tickMillis)
	size.add(float64(info.Size()) / float64(days*perDay*yearly))
	middle := epoch + smartmeter.Instant(days/2)*dayMillis
	for _, q := range []struct {
		f    *figure
		want int
		text string
		args []any
	}{
		{day, perDay, `SELECT at, boot, seq, timing, voltage, current, power, energy, frequency, power_factor
			FROM reading WHERE channel = 3 AND at >= ? AND at < ? ORDER BY at`, []any{int64(middle), int64(middle + dayMillis)}},
		{hours, 24 * days, `SELECT at / 3600000, avg(power), min(power), max(power)
			FROM reading WHERE channel = 3 GROUP BY 1`, nil},
	} {
		err := timed(q.f, func() error {
			n := 0
			err := sqlitex.Execute(conn, q.text, &sqlitex.ExecOptions{Args: q.args, ResultFunc: func(stmt *sqlite.Stmt) error {
				for i := range stmt.ColumnCount() {
					_ = stmt.ColumnInt64(i)
				}
				n++
				return nil
			}})
			if err == nil && n != q.want {
				err = fmt.Errorf("%d rows, want %d", n, q.want)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return []*figure{size, day, hours}, nil
}

// openRows makes the database in which the store kept readings in its first form.
func openRows(path string) (*sqlite.Conn, error) {
	conn, err := sqlite.OpenConn(path)
	if err != nil {
		return nil, err
	}
	for _, statement := range firstForm {
		if err := sqlitex.ExecuteTransient(conn, statement, nil); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

// insertDays keeps days of ten devices in the order in which they are measured,
// many in a transaction.
func insertDays(conn *sqlite.Conn, days int) error {
	meters := make([]*noisyMeter, yearly)
	for i := range meters {
		meters[i] = newNoisyMeter(i, epoch)
	}
	for range days {
		if err := sqlitex.ExecuteTransient(conn, `BEGIN`, nil); err != nil {
			return err
		}
		for n := range int(dayMillis/tickMillis) * yearly {
			if err := insertRow(conn, n%yearly, meters[n%yearly].next()); err != nil {
				return err
			}
		}
		if err := sqlitex.ExecuteTransient(conn, `COMMIT`, nil); err != nil {
			return err
		}
	}
	return nil
}

func insertRow(conn *sqlite.Conn, channel int, r smartmeter.Reading) error {
	return sqlitex.Execute(conn, `INSERT INTO reading VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?)`, &sqlitex.ExecOptions{Args: []any{
		channel, int64(r.At), int64(r.Boot), int64(r.Seq),
		int64(r.Voltage), int64(r.Current), int64(r.Power), int64(r.Energy), int64(r.Frequency), int64(r.PowerFactor),
	}})
}
