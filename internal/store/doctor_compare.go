package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"maps"
	"path"
	"slices"

	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
	"zombiezen.com/go/sqlite"
)

// compare says where the database differs from what the log and the monthly files
// make of it.
func (e *examination) compare(ctx context.Context) error {
	as := e.index
	if e.old != nil {
		as = e.old.index
	}
	if as == nil {
		return nil
	}
	err := e.compareChunks(ctx, as)
	if err == nil && e.old != nil {
		err = e.compareRows(ctx)
	}
	if errors.Is(err, errIndexBroken) { // which is what has been found before, or is now
		e.d.find(areaIndex, true, databaseName, "%v", err)
		return nil
	}
	return err
}

// compareRows compares all that has to be equal, energy at last.
func (e *examination) compareRows(ctx context.Context) error {
	for _, t := range comparedTables {
		if err := e.compareTable(ctx, t); err != nil {
			return err
		}
	}
	e.compareLatest()
	e.compareWatermarks()
	if err := e.compareTable(ctx, energyDays); err != nil {
		return err
	}
	// What the hub had not settled when it stopped it would settle now.
	if err := e.old.settleAll(ctx); err != nil {
		return err
	}
	return e.compareTable(ctx, energyMonths)
}

// comparedTable is a question to both indexes: what a row is called, how many
// columns make its key, and the columns, of which the first says what it is about.
type comparedTable struct {
	query string
	keys  int
	// differs and extra say what is wrong if the database has another row, or one
	// too much; missing if it has none, "" where the hub makes up for it.
	differs, extra, missing string
	// unsettled says that a row may differ in its last column: then it is of an
	// earlier time, and the hub makes it again.
	unsettled bool
}

const shownChannel = `node || iif(channel.channel = 0, '', ':' || channel.channel)`

var comparedTables = []comparedTable{
	{
		query: `SELECT ` + shownChannel + `, uid, node, channel FROM channel ORDER BY uid`, keys: 1,
		differs: "it has another node for the data of %s than the files", extra: "it has a channel %s of which the files know nothing", missing: "it does not know the channel %s",
	}, {
		query: `SELECT ` + shownChannel + ` || ' of ' || date(day * 86400, 'unixepoch'), uid, day, packed
			FROM channel JOIN sums ON sums.channel = key ORDER BY uid, day`, keys: 2,
		differs: "the sums of %s are not what its readings add up to", extra: "it has sums of %s, and the files have no readings", missing: "the sums of %s are missing",
	}, {
		query: `SELECT id, id, name, room, kind, node, channel, parent, settings FROM device ORDER BY id`, keys: 1,
		differs: "what it says of the device %s is not what people have set", extra: "it has a device %s that nobody has set", missing: "the device %s is missing",
	}, {
		query: `SELECT id, id, device, "on", cause, asked_at, state, watts, reason FROM command ORDER BY id`, keys: 1,
		differs: "what it says of the command %s is not what became of it", extra: "it has a command %s that nobody gave", missing: "the command %s is missing",
	}, {
		query: `SELECT id, id, kind, severity, device, text, raised_at, acknowledged_at, acknowledged_by, cleared_at FROM alert ORDER BY id`, keys: 1,
		differs: "what it says of the alert %s is not what became of it", extra: "it has an alert %s that was never raised", missing: "the alert %s is missing",
	}, {
		query: `SELECT id, id, made, by, why, kind, node, channel, from_at, to_at, energy, device, target FROM correction ORDER BY id`, keys: 1,
		differs: "the correction %s is not as it was entered", extra: "it has a correction %s that nobody entered", missing: "the correction %s is missing",
	},
}

var (
	energyDays = comparedTable{
		query: `SELECT ` + shownChannel + ` || ' of ' || date(day * 86400, 'unixepoch'), uid, day, begins, chunk, packed, "of"
			FROM channel JOIN energy_day ON energy_day.channel = key ORDER BY uid, day`, keys: 2,
		differs: "the energy of %s is not what its readings come to", extra: "it has energy of %s, and the files have no readings", unsettled: true,
	}
	energyMonths = comparedTable{
		query: `SELECT ` + shownChannel + ` || ' of ' || printf('%04d-%02d', 1970 + month / 12, 1 + month % 12), uid, month, packed
			FROM channel JOIN energy_month ON energy_month.channel = key ORDER BY uid, month`, keys: 2,
		differs: "the energy of %s is not what its days come to", extra: "it has energy of %s, and the files have no readings", missing: "the energy of %s is missing",
	}
	comparedChunks = comparedTable{
		query: `SELECT ` + shownChannel + `, uid, day, version, month, part, "offset", length, count, first_at, last_at, quantities, hash
			FROM channel JOIN chunk ON chunk.channel = key ORDER BY uid, day, version`, keys: 3,
	}
)

// comparedRow is a row as it is compared.
type comparedRow struct {
	shown string
	uid   []byte // the first column of the key
	key   []byte // in the order of the rows
	value [][]byte
}

func (x *index) comparedRows(ctx context.Context, t comparedTable) iter.Seq2[comparedRow, error] {
	return eachRow(ctx, x, "rows to compare", t.query, nil, func(stmt *sqlite.Stmt) (r comparedRow) {
		r.shown = stmt.ColumnText(0)
		for i := 1; i <= t.keys; i++ {
			r.key = append(append(r.key, sortable(stmt, i)...), 0)
		}
		r.uid = sortable(stmt, 1)
		for i := t.keys + 1; i < stmt.ColumnCount(); i++ {
			r.value = append(r.value, sortable(stmt, i))
		}
		return r
	})
}

// sortable returns a column as bytes that are in the order of its values.
func sortable(stmt *sqlite.Stmt, i int) []byte {
	switch stmt.ColumnType(i) {
	case sqlite.TypeInteger:
		return binary.BigEndian.AppendUint64([]byte{1}, uint64(stmt.ColumnInt64(i))^1<<63)
	case sqlite.TypeNull:
		return nil
	default:
		b := make([]byte, stmt.ColumnLen(i))
		stmt.ColumnBytes(i, b)
		return b
	}
}

// difference is a row that is not the same in both; one of them may be absent.
type difference struct{ old, fresh *comparedRow }

// differences yields the rows of a table that differ, in order.
func differences(ctx context.Context, old, fresh *index, t comparedTable) iter.Seq2[difference, error] {
	return func(yield func(difference, error) bool) {
		nextOld, stopOld := iter.Pull2(old.comparedRows(ctx, t))
		defer stopOld()
		nextFresh, stopFresh := iter.Pull2(fresh.comparedRows(ctx, t))
		defer stopFresh()
		a, errA, okA := nextOld()
		b, errB, okB := nextFresh()
		for okA || okB {
			if err := errors.Join(errA, errB); err != nil {
				yield(difference{}, err)
				return
			}
			order := bytes.Compare(a.key, b.key)
			var d difference
			if x := a; okA && (!okB || order <= 0) {
				d.old = &x
			}
			if x := b; okB && (!okA || order >= 0) {
				d.fresh = &x
			}
			if (d.old == nil || d.fresh == nil || !slices.EqualFunc(a.value, b.value, bytes.Equal)) && !yield(d, nil) {
				return
			}
			if d.old != nil {
				a, errA, okA = nextOld()
			}
			if d.fresh != nil {
				b, errB, okB = nextFresh()
			}
		}
	}
}

// mostFindings is how many rows of a table are named one by one.
const mostFindings = 50

// compareTable reports the rows of a table that differ. What is lost with a day's
// readings, or follows from them, is not told again.
func (e *examination) compareTable(ctx context.Context, t comparedTable) error {
	found := 0
	for d, err := range differences(ctx, e.old.index, e.fresh.index, t) {
		if err != nil {
			return err
		}
		row, what := d.old, t.differs
		switch {
		case d.fresh == nil:
			what = t.extra
		case d.old == nil:
			row, what = d.fresh, t.missing
		case t.unsettled && !bytes.Equal(last(d.old.value), last(d.fresh.value)):
			what = ""
		}
		if what == "" || e.hasLost(row.uid) {
			continue
		}
		if found++; found <= mostFindings {
			e.d.find(areaIndex, true, databaseName, what, row.shown)
		}
	}
	if found > mostFindings {
		e.d.find(areaIndex, true, databaseName, "and %d more like that", found-mostFindings)
	}
	return nil
}

func last(values [][]byte) []byte { return values[len(values)-1] }

// lostDay is a sealed day that the database knows and no file has any more.
type lostDay struct {
	uid chunk.ID
	day chunk.Day
}

// hasLost reports whether readings of a channel are lost.
func (e *examination) hasLost(uid []byte) bool {
	return slices.ContainsFunc(e.d.lost, func(l lostDay) bool { return bytes.Equal(l.uid[:], uid) })
}

// compareChunks finds out which days are lost, and where the database is wrong
// about those that are not.
func (e *examination) compareChunks(ctx context.Context, old *index) error {
	found := 0
	for d, err := range differences(ctx, old, e.fresh.index, comparedChunks) {
		if err != nil {
			return err
		}
		if d.fresh == nil && e.reportLost(d.old) || e.old == nil {
			continue
		}
		row, what := d.old, "what it says of a sealed day of %s is not what the monthly files have"
		switch {
		case d.fresh == nil:
			what = "it names a sealed day of %s that the monthly files do not have"
		case d.old == nil:
			row, what = d.fresh, "it does not know a sealed day of %s that the monthly files have"
		}
		if found++; found <= mostFindings {
			_, day, _ := row.sealed()
			e.d.find(areaIndex, true, databaseName, what, fmt.Sprintf("%s, %v", row.shown, day))
		}
	}
	return nil
}

// sealed returns what a row of comparedChunks is about.
func (r *comparedRow) sealed() (uid chunk.ID, day chunk.Day, at place) {
	number := func(b []byte) int64 { return int64(binary.BigEndian.Uint64(b[1:]) ^ 1<<63) }
	copy(uid[:], r.key)
	day = chunk.Day(number(r.key[len(uid)+1:]))
	return uid, day, place{month: int32(number(r.value[0])), part: uint32(number(r.value[1])), offset: number(r.value[2]), length: int32(number(r.value[3]))}
}

// reportLost reports a sealed day that the files do not have, if that is because
// of their damage.
func (e *examination) reportLost(row *comparedRow) bool {
	uid, day, at := row.sealed()
	file := archive.File{Month: archive.Month(at.month), Part: at.part}
	damaged := slices.ContainsFunc(e.d.damage, func(d archive.Damage) bool {
		return d.File == file && (d.To == 0 || at.offset < d.To && d.From < at.offset+int64(at.length))
	})
	if !damaged {
		return false
	}
	where := path.Join(chunkDir, file.Name())
	if _, kept := e.fresh.sealedDay(uid, day); kept {
		e.d.find(areaMonths, true, where, "the newest readings of %s of %v are lost; an earlier version of that day is there", row.shown, day)
		return true
	}
	e.d.find(areaMonths, false, where, "the readings of %s of %v are lost; if the database has their sums and energy, --repair keeps those", row.shown, day)
	e.d.lost = append(e.d.lost, lostDay{uid, day})
	return true
}

// sealedDay reports whether any version of a channel's day is sealed.
func (s *Store) sealedDay(uid chunk.ID, day chunk.Day) (row chunkRow, found bool) {
	c := s.byUID[uid]
	if c == nil {
		return row, false
	}
	for row, err := range s.index.chunks(context.Background(), c.key, day, day+1) {
		return row, err == nil
	}
	return row, false
}

// compareLatest reports newest readings that are in no file.
func (e *examination) compareLatest() {
	for _, c := range e.old.channelsInOrder() {
		other := e.fresh.byUID[c.uid]
		if other == nil || other.latest == nil || c.latest == nil || e.hasLost(c.uid[:]) {
			continue
		}
		a, b := *c.latest, *other.latest
		a.Energy, b.Energy = 0, 0 // may be of an earlier reading
		a.Has, b.Has = a.Has&b.Has, a.Has&b.Has
		if a.At > b.At || a.At == b.At && a.Seq == b.Seq && a != b {
			e.d.find(areaIndex, true, databaseName, "the newest reading of %s, of %s, is in no file", c.name(), c.latest.At.Time().UTC().Format("2006-01-02 15:04:05"))
		}
	}
}

// compareWatermarks reports samples that nodes are told to be kept, and are not.
// What is thinned or lost was kept once.
func (e *examination) compareWatermarks() {
	for _, c := range e.old.channelsInOrder() {
		other := e.fresh.byUID[c.uid]
		if other == nil || e.hasLost(c.uid[:]) || len(other.boots) >= maxBoots {
			continue
		}
		if thinned, err := e.fresh.thinnedDays(context.Background(), other); err != nil || len(thinned) > 0 {
			continue
		}
		for _, id := range slices.Sorted(maps.Keys(c.boots)) {
			if run, ok := unbacked(c.boots[id], other.boots[id]); ok {
				e.d.find(areaIndex, true, databaseName, "it takes the samples %d to %d of %s, boot %08x, for kept, and no file has all of them", run.first, run.last, c.name(), uint32(id))
			}
		}
	}
}

// unbacked returns a run of samples that claimed has and kept does not.
func unbacked(claimed, kept *boot) (span, bool) {
	var have spans
	if kept != nil {
		have = kept.durable
	}
	if len(have) >= maxSpans {
		return span{}, false // more than are remembered
	}
	for _, run := range claimed.durable {
		if around, found := have.around(run.first); !found || around.last < run.last {
			return run, true
		}
	}
	return span{}, false
}
