package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
	"zombiezen.com/go/sqlite"
)

// energyChange is what is new of a channel's energy.
type energyChange struct {
	channel channelKey
	days    []energyDay
	gone    []ledger.DayNumber
	months  []energyMonth
	journal fingerprint
}

// energyDay is a day of the ledger and what it was made from.
type energyDay struct {
	made energyMark
	day  ledger.Day
}

// energyMark tells from what a day was made.
type energyMark struct {
	chunk uint32 // its version; 0 for none
	of    fingerprint
}

// energyMonth is a month's sums, see appendMonth.
type energyMonth struct {
	month  archive.Month
	packed []byte
}

// chunkMark tells one version of a sealed day from another.
type chunkMark struct {
	version uint32
	hash    [32]byte
}

func (t indexWriter) putEnergy(c indexChange) error {
	for i := range c.energy {
		if err := t.putChannelsEnergy(&c.energy[i]); err != nil {
			return fmt.Errorf("energy of channel %d: %w", c.energy[i].channel, err)
		}
	}
	return nil
}

func (t indexWriter) putChannelsEnergy(e *energyChange) error {
	for _, day := range e.gone {
		if err := t.do(`DELETE FROM energy_day WHERE channel = ? AND day = ?`, e.channel, day); err != nil {
			return err
		}
	}
	for i := range e.days {
		d := &e.days[i]
		if err := t.do(`
			INSERT INTO energy_day (channel, day, begins, chunk, "of", packed) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (channel, day) DO UPDATE SET begins = excluded.begins, chunk = excluded.chunk, "of" = excluded."of", packed = excluded.packed`,
			e.channel, d.day.Number, d.day.Begins(), d.made.chunk, d.made.of[:], d.day.Append(nil)); err != nil {
			return err
		}
	}
	for _, m := range e.months {
		if err := t.do(`
			INSERT INTO energy_month (channel, month, packed) VALUES (?, ?, ?)
			ON CONFLICT (channel, month) DO UPDATE SET packed = excluded.packed WHERE packed <> excluded.packed`,
			e.channel, m.month, m.packed); err != nil {
			return err
		}
	}
	return t.do(`INSERT OR REPLACE INTO energy_settled (channel, journal) VALUES (?, ?)`, e.channel, e.journal[:])
}

func (t indexWriter) putCorrections(c indexChange) error {
	for _, k := range c.corrections {
		var energy any
		if k.EnergyKnown {
			energy = int64(k.Energy)
		}
		if err := t.do(`
			INSERT INTO correction (id, made, by, why, kind, node, channel, from_at, to_at, energy, device, target)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
			k.ID, k.Made, k.By, k.Why, k.Kind, k.Node, k.Channel, k.From, k.To, energy, k.Device, k.Target); err != nil {
			return fmt.Errorf("correction %s: %w", k.ID, err)
		}
	}
	return nil
}

func (t indexWriter) eraseCorrections(d smartmeter.Device) error {
	return t.do(`DELETE FROM correction WHERE node = ? AND channel = ? OR device = ?`, d.Node, d.Channel, d.ID)
}

// corrections returns the journal, in the order in which it was made.
func (x *index) corrections(ctx context.Context) ([]smartmeter.Correction, error) {
	return allRows(eachRow(ctx, x, "corrections", `
		SELECT id, made, by, why, kind, node, channel, from_at, to_at, energy, device, target FROM correction ORDER BY made, id`, nil,
		func(stmt *sqlite.Stmt) smartmeter.Correction {
			return smartmeter.Correction{
				ID:          stmt.ColumnText(0),
				Made:        smartmeter.Instant(stmt.ColumnInt64(1)),
				By:          stmt.ColumnText(2),
				Why:         stmt.ColumnText(3),
				Kind:        smartmeter.CorrectionKind(stmt.ColumnText(4)),
				Node:        smartmeter.NodeID(stmt.ColumnText(5)),
				Channel:     uint8(stmt.ColumnInt(6)),
				From:        smartmeter.Instant(stmt.ColumnInt64(7)),
				To:          smartmeter.Instant(stmt.ColumnInt64(8)),
				Energy:      smartmeter.WattHour(stmt.ColumnInt64(9)),
				EnergyKnown: !stmt.ColumnIsNull(9),
				Device:      smartmeter.DeviceID(stmt.ColumnText(10)),
				Target:      stmt.ColumnText(11),
			}
		}))
}

// chunkMarks returns the newest version of each sealed day of a channel.
func (x *index) chunkMarks(ctx context.Context, channel channelKey) (map[chunk.Day]chunkMark, error) {
	marks := make(map[chunk.Day]chunkMark)
	err := x.query(ctx, `SELECT day, version, hash FROM chunk WHERE channel = ? ORDER BY day, version`, []any{channel}, func(stmt *sqlite.Stmt) error {
		m := chunkMark{version: uint32(stmt.ColumnInt64(1))}
		stmt.ColumnBytes(2, m.hash[:])
		marks[chunk.Day(stmt.ColumnInt64(0))] = m
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read chunks from the index: %w", err)
	}
	return marks, nil
}

// energyMarks returns from what each day of a channel's ledger was made.
func (x *index) energyMarks(ctx context.Context, channel channelKey) (map[ledger.DayNumber]energyMark, error) {
	marks := make(map[ledger.DayNumber]energyMark)
	err := x.query(ctx, `SELECT day, chunk, "of" FROM energy_day WHERE channel = ?`, []any{channel}, func(stmt *sqlite.Stmt) error {
		m := energyMark{chunk: uint32(stmt.ColumnInt64(1))}
		stmt.ColumnBytes(2, m.of[:])
		marks[ledger.DayNumber(stmt.ColumnInt64(0))] = m
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read energy from the index: %w", err)
	}
	return marks, nil
}

// energySettled returns which corrections a channel's months were made with.
func (x *index) energySettled(ctx context.Context, channel channelKey) (journal fingerprint, err error) {
	err = x.query(ctx, `SELECT journal FROM energy_settled WHERE channel = ?`, []any{channel}, func(stmt *sqlite.Stmt) error {
		stmt.ColumnBytes(0, journal[:])
		return nil
	})
	if err != nil {
		return journal, fmt.Errorf("read energy from the index: %w", err)
	}
	return journal, nil
}

// energyFrom returns a channel's days from a day on, and the last one before it.
func (x *index) energyFrom(ctx context.Context, channel channelKey, first ledger.DayNumber) ([]ledger.Day, error) {
	return x.energyDays(ctx, `
		SELECT day, packed FROM energy_day WHERE channel = ?1
		AND day >= coalesce((SELECT max(day) FROM energy_day WHERE channel = ?1 AND day < ?2), ?2) ORDER BY day`, channel, first)
}

// energyOver returns the days of a channel that have a say in the energy of a
// range, and those between them.
func (x *index) energyOver(ctx context.Context, channel channelKey, r ledger.Range) ([]ledger.Day, error) {
	return x.energyDays(ctx, `
		SELECT day, packed FROM energy_day WHERE channel = ?1 AND (day <= ?3 OR begins <= ?3)
		AND day >= (SELECT min(begins) FROM energy_day WHERE channel = ?1 AND day >= ?2 AND begins <= ?3) ORDER BY day`,
		channel, r.First, r.Last)
}

func (x *index) energyDays(ctx context.Context, query string, args ...any) ([]ledger.Day, error) {
	var days []ledger.Day
	var packed []byte
	err := x.query(ctx, query, args, func(stmt *sqlite.Stmt) error {
		packed = append(packed[:0], make([]byte, stmt.ColumnLen(1))...)
		stmt.ColumnBytes(1, packed)
		days = append(days, ledger.Day{})
		return days[len(days)-1].Decode(ledger.DayNumber(stmt.ColumnInt64(0)), packed)
	})
	if err != nil {
		return nil, fmt.Errorf("read energy from the index: %w", err)
	}
	return days, nil
}

// energyMonths returns a channel's months from one to another, both included. They
// are put in order here: with ORDER BY, SQLite prepares the statement anew each
// time, which takes as long as the rest, and is done for each of a hundred devices.
func (x *index) energyMonths(ctx context.Context, channel channelKey, first, last archive.Month) ([]energyMonth, error) {
	months, err := allRows(eachRow(ctx, x, "energy", `
		SELECT month, packed FROM energy_month WHERE channel = ? AND month >= ? AND month <= ?`,
		[]any{channel, first, last}, func(stmt *sqlite.Stmt) energyMonth {
			m := energyMonth{month: archive.Month(stmt.ColumnInt64(0)), packed: make([]byte, stmt.ColumnLen(1))}
			stmt.ColumnBytes(1, m.packed)
			return m
		}))
	slices.SortFunc(months, func(a, b energyMonth) int { return cmp.Compare(a.month, b.month) })
	return months, err
}
