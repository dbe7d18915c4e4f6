package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/rollup"
)

// asideDir is where Repair keeps what it takes away, a directory for each time.
// An erasure takes all of it: nobody can tell what in there is whose.
const asideDir = "aside"

// Repaired is what Repair found, did, and left.
type Repaired struct {
	Before Diagnosis `json:"before"`
	// Done says what was done, in order.
	Done []string `json:"done"`
	// Aside is where everything is that was replaced or taken away, relative to the
	// directory; "" if nothing was.
	Aside string    `json:"aside,omitempty"`
	After Diagnosis `json:"after"`
}

// Repair examines a data directory and mends what is safe to mend. Nothing is
// deleted: what it takes away, and what it writes again, is kept aside as it was.
// It refuses a directory that a process has open.
func Repair(ctx context.Context, cfg DoctorConfig) (r Repaired, err error) {
	lock, err := lockToLook(cfg.Dir)
	if err != nil {
		return r, err
	}
	defer func() { _ = lock.Close() }() // nil if there is none
	if r.Before, err = examine(ctx, cfg); err != nil || r.Before.Healthy() {
		r.After = r.Before
		return r, err
	}
	if lock == nil {
		if lock, err = lockDir(cfg.Dir, os.O_RDWR|os.O_CREATE); err != nil {
			return r, err
		}
	}
	m := mending{cfg: cfg, d: r.Before, began: time.Now().UTC()}
	err = m.run(ctx)
	r.Done, r.Aside = m.done, m.aside
	if err != nil {
		return r, err
	}
	r.After, err = examine(ctx, cfg)
	return r, err
}

// mending is the work of Repair.
type mending struct {
	cfg   DoctorConfig
	d     Diagnosis
	began time.Time
	done  []string
	aside string // made with the first file that goes there

	files *disk.Dir
	old   *index // a copy of the database as it was; nil if it cannot be read
}

func (m *mending) did(format string, args ...any) {
	m.done = append(m.done, fmt.Sprintf(format, args...))
}

func (m *mending) run(ctx context.Context) (err error) {
	if m.files, err = disk.OpenDir(m.cfg.Dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.files.Close()) }()
	scratch, err := os.MkdirTemp(m.cfg.Scratch, "smartmeter-doctor-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	if err := m.readOld(ctx, scratch); err != nil {
		return err
	}
	if m.old != nil {
		defer func() { err = errors.Join(err, m.old.close()) }()
	}
	for _, step := range []func(context.Context) error{m.mendSettings, m.mendMisfits, m.mendLogFiles, m.mendMonths, m.mendStore} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// readOld opens a copy of the database, as far as that is possible.
func (m *mending) readOld(ctx context.Context, scratch string) error {
	there, err := copyDatabase(m.cfg.Dir, scratch)
	if err != nil || !there {
		return err
	}
	m.old, err = openIndex(ctx, filepath.Join(scratch, databaseName), slog.New(slog.DiscardHandler))
	if errors.Is(err, errIndexBroken) || errors.Is(err, errIndexForeign) {
		return nil
	}
	return err
}

// path returns where a file is kept aside, in a directory that it makes.
func (m *mending) path(name string) (string, error) {
	if m.aside == "" {
		m.aside = path.Join(asideDir, m.began.Format("20060102T150405.000Z"))
	}
	to := path.Join(m.aside, name)
	return to, m.files.MkdirAll(path.Dir(to))
}

// take moves a file aside.
func (m *mending) take(name string) error {
	if _, err := os.Lstat(filepath.Join(m.cfg.Dir, name)); err != nil {
		return err
	}
	to, err := m.path(name)
	if err != nil {
		return err
	}
	if err := m.files.Rename(name, to); err != nil {
		return err
	}
	return errors.Join(m.files.SyncDir(path.Dir(to)), m.files.SyncDir(path.Dir(name)))
}

// save copies a file aside, once.
func (m *mending) save(name string) error {
	to, err := m.path(name)
	if err != nil {
		return err
	}
	err = copyFile(filepath.Join(m.cfg.Dir, name), filepath.Join(m.cfg.Dir, to))
	if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return nil // saved before, or gone
	}
	return errors.Join(err, m.files.SyncDir(path.Dir(to)))
}

func (m *mending) mendSettings(context.Context) error {
	if !m.d.has(areaSettings) {
		return nil
	}
	m.did("%s was taken away; say its zone and what energy costs again, with smartmeter zone and smartmeter price", settingsName)
	for _, name := range []string{settingsName, formerSettingsName} {
		if err := m.take(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// mendMisfits puts files in their places.
func (m *mending) mendMisfits(context.Context) error {
	misfits, _, err := misfitsIn(m.files)
	if err != nil {
		return err
	}
	for _, f := range misfits {
		switch {
		case f.site != nil:
			m.did("%s was written again", f.name)
		case f.to != "":
			m.did("%s was renamed to %s", f.name, f.to)
		case f.worn == nil:
			m.did("%s was taken away: %s", f.name, f.what)
		}
	}
	return mendMisfits(m.files, misfits, m.take)
}

// mendLogFiles saves the segments of the log that are not whole. What is in them
// and can be read is moved into the monthly files later.
func (m *mending) mendLogFiles(context.Context) error {
	for _, segment := range m.d.log {
		if err := m.save(path.Join(logDir, segment)); err != nil {
			return err
		}
	}
	return nil
}

// mendMonths writes the months again that are not whole, without what is damaged
// or torn. Of days that are lost their sums are put in, if the database has them.
func (m *mending) mendMonths(ctx context.Context) error {
	months := m.brokenMonths()
	if len(months) == 0 {
		return nil
	}
	site, err := readSite(m.files)
	if err != nil {
		return err
	}
	for _, month := range months { // before the archive removes anything
		if err := m.each(month, m.save); err != nil {
			return err
		}
	}
	a, err := archive.Open(archive.Config{FS: m.files, Dir: chunkDir, Site: site})
	if err != nil {
		return err
	}
	for _, month := range months {
		moved, err := a.Rewrite(ctx, month, func(f archive.Frame) ([]byte, bool, error) { return f.Payload, true, nil })
		switch {
		case err == nil && moved == nil: // none of its files counts for anything
			err = m.takeMonth(month)
		case errors.Is(err, disk.ErrIO):
			m.did("%v was left as it is: %v", month, err)
		case err == nil:
			m.did("%v was written again without what is damaged", month)
		}
		if err != nil && !errors.Is(err, disk.ErrIO) {
			return errors.Join(err, a.Close())
		}
	}
	return errors.Join(m.keepSums(ctx, a), a.Close())
}

// each does something with all files of a month.
func (m *mending) each(month archive.Month, do func(name string) error) error {
	entries, err := m.files.List(chunkDir)
	for _, e := range entries {
		if of, ok := archive.MonthOfName(e.Name); ok && of == month {
			err = errors.Join(err, do(path.Join(chunkDir, e.Name)))
		}
	}
	return err
}

// takeMonth moves all files of a month aside, if there are any.
func (m *mending) takeMonth(month archive.Month) error {
	return m.each(month, func(name string) error {
		m.did("%s was taken away: there is nothing in it", name)
		return m.take(name)
	})
}

// brokenMonths returns the months of which a file is damaged, torn or worn.
func (m *mending) brokenMonths() (months []archive.Month) {
	for _, d := range m.d.damage {
		months = append(months, d.File.Month)
	}
	if misfits, _, err := misfitsIn(m.files); err == nil {
		for _, f := range misfits {
			if f.worn != nil {
				months = append(months, *f.worn)
			}
		}
	}
	slices.Sort(months)
	return slices.Compact(months)
}

// keepSums puts the sums of the lost days into the monthly files, as if the days
// had been thinned. They have a checksum of their own.
func (m *mending) keepSums(ctx context.Context, a *archive.Archive) error {
	kept := 0
	for _, l := range m.d.lost {
		packed, version, found, err := m.oldSums(ctx, l)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		frame := encodeThinned(thinnedDay{channel: l.uid, day: l.day, version: version, sums: packed})
		if err := a.Append(archive.MonthOf(int64(l.day.Midnight())), frameSums, frame); err != nil {
			return err
		}
		kept++
	}
	if kept == 0 {
		return nil
	}
	m.did("of %d of %d days whose readings are lost, the sums by quarter hour and the energy were kept", kept, len(m.d.lost))
	_, err := a.Sync(ctx)
	return err
}

// oldSums returns what the database has of a day, if it can be read.
func (m *mending) oldSums(ctx context.Context, l lostDay) (packed []byte, version uint32, found bool, err error) {
	if m.old == nil {
		return nil, 0, false, nil
	}
	channels, err := m.old.channels(ctx)
	if err != nil {
		return nil, 0, false, ignoreBroken(err)
	}
	i := slices.IndexFunc(channels, func(r channelRow) bool { return r.uid == l.uid })
	if i < 0 {
		return nil, 0, false, nil
	}
	for row, err := range m.old.sums(ctx, channels[i].key, l.day, l.day+1) {
		if err != nil {
			return nil, 0, false, ignoreBroken(err)
		}
		packed = bytes.Clone(row.packed)
	}
	marks, err := m.old.chunkMarks(ctx, channels[i].key)
	if err != nil {
		return nil, 0, false, ignoreBroken(err)
	}
	_, err = rollup.AppendBuckets(nil, packed, smartmeter.AllQuantities, rollup.Quarter)
	return packed, marks[l.day].version, len(packed) > 0 && err == nil, nil
}

// ignoreBroken takes damage of the database for nothing: there is nothing to be
// had from it then.
func ignoreBroken(err error) error {
	if errors.Is(err, errIndexBroken) {
		return nil
	}
	return err
}

// mendStore makes the database again, takes over what only the old one has, and
// empties a log that is not whole.
func (m *mending) mendStore(ctx context.Context) error {
	if !m.d.has(areaIndex, areaMonths, areaLog) {
		return nil
	}
	for _, suffix := range []string{"", "-wal", "-shm", damagedSuffix} {
		if err := m.take(databaseName + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	m.did("the database was made again from the log and the monthly files")
	cfg := Config{Dir: m.cfg.Dir, FS: m.files, Now: m.cfg.Now, Logger: slog.New(slog.DiscardHandler), locked: true}
	s, err := openStill(ctx, cfg)
	if err != nil {
		return err
	}
	if m.old != nil {
		_, err = s.carry(ctx, m.old, m.d.isDamaged())
	}
	if err == nil {
		err = s.settleAll(ctx)
	}
	if err == nil && len(m.d.log) > 0 {
		m.did("what can be read of the log was moved into the monthly files")
		err = s.emptyLogForGood(ctx)
	}
	return errors.Join(err, s.Close())
}

// emptyLogForGood moves all that is in the log into the monthly files.
func (s *Store) emptyLogForGood(ctx context.Context) error {
	if err := s.sealing.lock(ctx); err != nil {
		return err
	}
	defer s.sealing.unlock()
	if err := s.emptyLog(ctx); err != nil {
		return err
	}
	return s.settleAll(ctx)
}
