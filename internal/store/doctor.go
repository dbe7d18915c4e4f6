package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// How a data directory is examined: the store is opened twice as the hub opens
// it, on views that keep to themselves what is written. Once with a copy of the
// database, and once without, so that all of it is made again from the log and
// the monthly files: every frame's checksum, every chunk's hash, every day's sums
// and its energy. What the two then say must be the same.

// DoctorConfig is what Examine and Repair need.
type DoctorConfig struct {
	// Dir is the data directory.
	Dir string
	// Scratch is where the database is copied and made again, "" for the
	// system's own place for what is temporary. It takes twice its size.
	Scratch string
	// Now tells which day it is; nil means time.Now.
	Now func() time.Time
	// Progress, unless it is nil, is told how many bytes are read of about so many.
	Progress func(done, total int64)
}

// Finding is something in a data directory that is not as it should be.
type Finding struct {
	// Where is a file, relative to the directory.
	Where string `json:"where"`
	// What is wrong, in plain words.
	What string `json:"what"`
	// Mends says whether Repair mends it, as far as the truth has survived.
	Mends bool `json:"mends"`

	area area
}

// area is what has to be mended because of a finding.
type area int

const (
	areaIndex area = iota
	areaMonths
	areaLog
	areaSettings
)

// Diagnosis is what Examine found.
type Diagnosis struct {
	Findings []Finding `json:"findings"`
	// Notes are worth knowing and nothing to worry about.
	Notes []string `json:"notes"`

	// What was examined: monthly files and what is in them, and the log.
	Files   int   `json:"files"`
	Frames  int   `json:"frames"`
	Bytes   int64 `json:"bytes"`
	Records int   `json:"log_records"`
	Devices int   `json:"devices"`

	lost   []lostDay
	damage []archive.Damage
	log    []string // segments that are not whole
}

// Healthy reports whether there is nothing to mend.
func (d *Diagnosis) Healthy() bool { return len(d.Findings) == 0 }

func (d *Diagnosis) find(a area, mends bool, where, format string, args ...any) {
	d.Findings = append(d.Findings, Finding{Where: where, What: fmt.Sprintf(format, args...), Mends: mends, area: a})
}

func (d *Diagnosis) note(format string, args ...any) {
	d.Notes = append(d.Notes, fmt.Sprintf(format, args...))
}

// has reports whether anything in an area is to be mended.
func (d *Diagnosis) has(areas ...area) bool {
	return slices.ContainsFunc(d.Findings, func(f Finding) bool { return slices.Contains(areas, f.area) })
}

// isDamaged reports whether the log or the monthly files may have lost something.
func (d *Diagnosis) isDamaged() bool { return len(d.damage)+len(d.log) > 0 }

// Examine says what is wrong with a data directory, in which it changes nothing.
// It refuses one that a process has open.
func Examine(ctx context.Context, cfg DoctorConfig) (d Diagnosis, err error) {
	lock, err := lockToLook(cfg.Dir)
	if err != nil {
		return d, err
	}
	defer lock.Close() // an error when there is none: which is fine
	return examine(ctx, cfg)
}

// lockToLook keeps others out without making a file for it: it returns nil for a
// directory without one, which has never been in use.
func lockToLook(dir string) (*os.File, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s is no directory; name the hub's with --data", dir)
	}
	lock, err := lockDir(dir, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return lock, err
}

func examine(ctx context.Context, cfg DoctorConfig) (_ Diagnosis, err error) {
	e := examination{cfg: cfg, d: Diagnosis{Findings: []Finding{}, Notes: []string{}}}
	defer func() { err = errors.Join(err, e.close()) }()
	if e.scratch, err = os.MkdirTemp(cfg.Scratch, "smartmeter-doctor-"); err != nil {
		return e.d, fmt.Errorf("make room for copies: %w; name another place with TMPDIR", err)
	}
	for _, step := range []func(context.Context) error{
		e.lookAround, e.lookAtDatabase, e.openAsIs, e.makeAnew, e.compare, e.reportStop,
	} {
		if err := step(ctx); err != nil {
			return e.d, err
		}
	}
	return e.d, nil
}

// examination is the work of Examine.
type examination struct {
	cfg     DoctorConfig
	d       Diagnosis
	scratch string
	views   []*disk.View
	misfits []misfit
	unclean bool // the last stop was not in peace

	index      *index // the copy of the database as it is; nil if it cannot be read
	fresh, old *Store // made again, and as it is; old is nil if it cannot be opened

	done, total int64
}

// lookAround finds out what lies in the directory.
func (e *examination) lookAround(context.Context) error {
	view, err := e.view()
	if err != nil {
		return err
	}
	if !isDataDir(view) {
		return fmt.Errorf("%s is no data directory of smartmeter; name the hub's with --data", e.cfg.Dir)
	}
	var notes []string
	if e.misfits, notes, err = misfitsIn(view); err != nil {
		return fmt.Errorf("look at the files: %w", err)
	}
	e.d.Notes = append(e.d.Notes, notes...)
	for _, m := range e.misfits {
		e.d.find(areaMonths, true, m.name, "%s", m.what)
	}
	e.lookAtSettings(view)
	if entries, err := view.List(chunkDir); err == nil {
		for _, f := range entries {
			e.total += 2 * f.Size // once to sum up, once for energy
		}
	}
	return nil
}

func isDataDir(files disk.FS) bool {
	for _, dir := range []string{chunkDir, logDir} {
		if _, err := files.List(dir); err == nil {
			return true
		}
	}
	for _, name := range []string{siteName, databaseName} {
		if f, err := files.Open(name); err == nil {
			_ = f.Close()
			return true
		}
	}
	return false
}

// lookAtSettings makes sure that what people said of the site can be read.
func (e *examination) lookAtSettings(files disk.FS) {
	s := Store{files: files}
	text, err := s.Settings(context.Background())
	if err == nil && text != nil && !json.Valid(text) {
		err = errors.New("it is not as it was written")
	}
	if err != nil {
		e.d.find(areaSettings, true, settingsName, "what people said of the site, like its zone and what energy costs, cannot be read: %v; say it again with smartmeter zone and smartmeter price", err)
	}
}

// view opens another view, on which what is misplaced is in its place.
func (e *examination) view() (*disk.View, error) {
	view, err := disk.OpenView(e.cfg.Dir)
	if err != nil {
		return nil, err
	}
	e.views = append(e.views, view)
	return view, mendMisfits(view, e.misfits, view.Remove)
}

// trial opens the store on a view, with its database in a place of its own.
func (e *examination) trial(ctx context.Context, name string) (*Store, error) {
	dir := filepath.Join(e.scratch, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	view, err := e.view()
	if err != nil {
		return nil, err
	}
	cfg := Config{Dir: e.cfg.Dir, FS: view, Now: e.cfg.Now, Logger: slog.New(slog.DiscardHandler), trial: dir}
	if e.cfg.Progress != nil {
		cfg.progress = e.progress
	}
	s := newStore(cfg)
	return s, s.open(ctx, cfg)
}

func (e *examination) progress(bytes int) {
	e.done = min(e.done+int64(bytes), e.total)
	e.cfg.Progress(e.done, e.total)
}

// openAsIs opens the store as the hub would at its next start.
func (e *examination) openAsIs(ctx context.Context) error {
	if e.index == nil {
		return nil
	}
	old, err := e.trial(ctx, "old")
	if err == nil || old == nil {
		e.old = old
		return err
	}
	e.d.damage = append(e.d.damage, old.met.archive.Damage...)
	if err := errors.Join(err, old.closeFiles()); !errors.Is(err, errIndexBroken) {
		return err
	}
	e.d.find(areaIndex, true, databaseName, "%v", err)
	return nil
}

// makeAnew makes everything again that can be made from the log and the monthly
// files. What those have lost it takes from the database, which may have it still.
func (e *examination) makeAnew(ctx context.Context) (err error) {
	if e.fresh, err = e.trial(ctx, "fresh"); err != nil {
		return err
	}
	e.reportFiles()
	e.reportLog()
	if e.index != nil {
		unread, err := e.fresh.carry(ctx, e.index, e.d.isDamaged())
		if err != nil {
			return err
		}
		for _, what := range unread {
			e.d.find(areaIndex, false, databaseName, "the energy of %s cannot be read, and its readings are no longer kept", what)
		}
	}
	if err := e.fresh.settleAll(ctx); err != nil {
		return err
	}
	e.done = e.total
	e.d.Files, e.d.Frames, e.d.Bytes = e.fresh.met.archive.Files, e.fresh.met.archive.Frames, e.fresh.met.archive.Bytes
	e.d.Records, e.d.Devices = e.fresh.met.log.Records, len(e.fresh.devices)
	return nil
}

// reportFiles says what is wrong with the monthly files.
func (e *examination) reportFiles() {
	report := e.fresh.met.archive
	e.d.damage = append(e.d.damage, report.Damage...)
	if e.old != nil {
		e.d.damage = append(e.d.damage, e.old.met.archive.Damage...)
	}
	slices.SortFunc(e.d.damage, func(a, b archive.Damage) int { return strings.Compare(a.String(), b.String()) })
	e.d.damage = slices.Compact(e.d.damage)
	for _, d := range e.d.damage {
		e.d.find(areaMonths, d.Reason != archive.Unreadable, path.Join(chunkDir, d.File.Name()), "%s", wordsOf(d))
	}
	for _, d := range report.Torn {
		if !slices.ContainsFunc(e.d.damage, func(o archive.Damage) bool { return o.File == d.File }) {
			e.d.damage = append(e.d.damage, d)
			e.d.find(areaMonths, true, path.Join(chunkDir, d.File.Name()), "%s: the trace of a power cut; nothing of it was acknowledged", wordsOf(d))
		}
	}
	for _, what := range e.fresh.met.unusable {
		e.d.find(areaMonths, false, chunkDir, "something in the monthly files cannot be used: %s", what)
	}
}

func wordsOf(d archive.Damage) string {
	if d.From == 0 {
		return d.Reason
	}
	return fmt.Sprintf("%s: %d bytes from byte %d on", d.Reason, d.To-d.From, d.From)
}

// reportLog says what is wrong with the log.
func (e *examination) reportLog() {
	report := e.fresh.met.log
	for _, d := range report.Damage {
		e.d.log = append(e.d.log, d.Segment)
		what := fmt.Sprintf("%s, at byte %d", d.Reason, d.Offset)
		if d.From < d.To {
			what += fmt.Sprintf(": %d records are lost", d.To-d.From)
		}
		e.d.find(areaLog, true, path.Join(logDir, d.Segment), "%s", what)
	}
	if report.Torn {
		e.d.log = append(e.d.log, report.TornIn)
		e.d.find(areaLog, true, path.Join(logDir, report.TornIn), "the last write was cut off: %d whole records of it, and a torn one, count for nothing; they were not acknowledged", report.TornRecords)
	}
	if n := e.fresh.met.nameless; n > 0 {
		e.d.find(areaLog, false, logDir, "%d readings belong to a device that nothing names any more", n)
	}
}

// reportStop says what the last stop has cost, if it was not in peace.
func (e *examination) reportStop(context.Context) error {
	if !e.unclean {
		return nil
	}
	files, err := filepath.Glob(filepath.Join(e.cfg.Dir, logDir, "*.wal"))
	if err != nil {
		return err
	}
	var synced time.Time
	for _, name := range files {
		if info, err := os.Stat(name); err == nil && info.ModTime().After(synced) {
			synced = info.ModTime()
		}
	}
	if synced.IsZero() {
		e.d.note("the hub was not stopped in peace (killed, or a power cut), before anything was written to its log")
		return nil
	}
	e.d.note("the hub was not stopped in peace (killed, or a power cut). All up to the last sync at %s is there, %d records; what was measured after it, by default at most 10 s, was not on the disk yet. Nodes of protocol 1 send it again",
		synced.UTC().Format(time.RFC3339), e.d.Records)
	if newest := e.fresh.newest(); newest > 0 {
		e.d.note("the newest reading is of %s", newest.Time().UTC().Format(time.RFC3339))
	}
	return nil
}

// newest returns the time of the newest reading of all channels.
func (s *Store) newest() (at smartmeter.Instant) {
	for _, c := range s.byUID {
		if c.latest != nil {
			at = max(at, c.latest.At)
		}
	}
	return at
}

// close removes the copies.
func (e *examination) close() error {
	var errs []error
	for _, s := range []*Store{e.old, e.fresh} {
		if s != nil {
			errs = append(errs, s.closeFiles())
		}
	}
	if e.index != nil {
		errs = append(errs, e.index.close())
	}
	for _, v := range e.views {
		errs = append(errs, v.Close())
	}
	if e.scratch != "" {
		errs = append(errs, os.RemoveAll(e.scratch))
	}
	return errors.Join(errs...)
}
