package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
)

// lookAtDatabase copies the database and reads all of the copy. SQLite would
// write beside the original, even to read it.
func (e *examination) lookAtDatabase(ctx context.Context) error {
	dir := filepath.Join(e.scratch, "old")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	there, err := copyDatabase(e.cfg.Dir, dir)
	if err != nil {
		return fmt.Errorf("copy the database to be examined: %w; name a place with more room with TMPDIR", err)
	}
	if _, err := os.Stat(filepath.Join(e.cfg.Dir, databaseName+"-wal")); err == nil {
		e.unclean = true // SQLite removes it at the end
	}
	if _, err := os.Stat(filepath.Join(e.cfg.Dir, databaseName+damagedSuffix)); err == nil {
		e.d.find(areaIndex, true, databaseName, "the hub has found it to be damaged before, and makes it again at its next start")
	}
	if !there {
		e.d.find(areaIndex, true, databaseName, "it is missing; the hub makes it again at its next start")
		return nil
	}
	x, err := openIndex(ctx, filepath.Join(dir, databaseName), slog.New(slog.DiscardHandler))
	switch {
	case errors.Is(err, errIndexNewer):
		return err
	case errors.Is(err, errIndexForeign), errors.Is(err, errIndexBroken):
		e.d.find(areaIndex, true, databaseName, "%s", withoutPlace(err, dir))
		return nil
	case err != nil:
		return err
	}
	e.index = x
	if err := x.check(ctx); errors.Is(err, errIndexBroken) {
		e.d.find(areaIndex, true, databaseName, "%v", err)
	} else if err != nil {
		return err
	}
	has, err := x.hasTable(ctx, "reading")
	if err == nil && has {
		err = errors.New("the database was written by an earlier version of smartmeter and has readings that are nowhere else; start the hub once, which takes them over, and examine it then")
	}
	return err
}

// withoutPlace says what is wrong without the place of the copy.
func withoutPlace(err error, dir string) error {
	for _, known := range []error{errIndexForeign, errIndexBroken} {
		if errors.Is(err, known) {
			return known
		}
	}
	return fmt.Errorf("%s: %w", dir, err)
}

// copyDatabase copies a database with its write-ahead log, and reports whether
// there is one.
func copyDatabase(from, to string) (there bool, err error) {
	for _, suffix := range []string{"", "-wal"} {
		err := copyFile(filepath.Join(from, databaseName+suffix), filepath.Join(to, databaseName+suffix))
		switch {
		case errors.Is(err, os.ErrNotExist) && suffix == "":
			return false, nil
		case err != nil && !errors.Is(err, os.ErrNotExist):
			return false, err
		}
	}
	return true, nil
}

// copyFile copies a file, durably, to one that must not exist.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// remade is a fingerprint that nothing has: what is said to be made from it is
// made again.
func remade() (f fingerprint) {
	for i := range f {
		f[i] = 0xff
	}
	return f
}

// carry takes over from another index what no other file has: the energy of days
// whose readings are no longer kept and, if the log and the monthly files are
// damaged, what people did and what they have no more. What cannot be read is
// returned.
func (s *Store) carry(ctx context.Context, from *index, damaged bool) (unread []string, err error) {
	if damaged {
		if err := s.carryPeople(ctx, from); err != nil && !errors.Is(err, errIndexBroken) {
			return nil, err
		}
	}
	return s.carryEnergy(ctx, from)
}

// carryPeople enters again what another index has of devices, commands and
// corrections, and the names of channels, where there is nothing.
func (s *Store) carryPeople(ctx context.Context, from *index) error {
	channels, err := from.channels(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	for _, row := range channels {
		c := s.byUID[row.uid]
		if c == nil || c.id.node != "" || strings.HasPrefix(string(row.node), nameless) || s.channels[channelID{row.node, row.channel}] != nil {
			continue
		}
		e := entry{Channel: &channelEntry{Number: c.number, UID: c.uid, Node: row.node, Channel: row.channel}}
		s.redo(e)
		s.entries = append(s.entries, e)
	}
	s.mu.Unlock()
	devices, err := from.devices(ctx)
	if err != nil {
		return err
	}
	for _, d := range devices {
		if _, known := s.devices[d.ID]; known {
			continue
		}
		if err := s.PutDevice(d); err != nil {
			return err
		}
	}
	corrections, err := from.corrections(ctx)
	if err != nil {
		return err
	}
	for _, k := range corrections {
		if slices.ContainsFunc(s.corrections, func(o smartmeter.Correction) bool { return o.ID == k.ID }) {
			continue
		}
		if err := s.PutCorrection(k); err != nil {
			return err
		}
	}
	if err := s.carryAlerts(ctx, from); err != nil {
		return err
	}
	return errors.Join(s.carryCommands(ctx, from, devices), s.Sync(ctx))
}

// carryAlerts enters again those alerts of which nothing is known.
func (s *Store) carryAlerts(ctx context.Context, from *index) error {
	known, err := s.index.alerts(ctx, math.MaxInt32)
	if err != nil {
		return err
	}
	had, err := from.alerts(ctx, math.MaxInt32)
	if err != nil {
		return err
	}
	for _, a := range slices.Backward(had) {
		if slices.ContainsFunc(known, func(o smartmeter.Alert) bool { return o.ID == a.ID }) {
			continue
		}
		if err := s.PutAlert(a); err != nil {
			return err
		}
	}
	return nil
}

// carryCommands enters again those commands to devices of which nothing is known.
func (s *Store) carryCommands(ctx context.Context, from *index, devices []smartmeter.Device) error {
	for _, d := range devices {
		known, err := s.index.commands(ctx, d.ID, math.MaxInt32)
		if err != nil {
			return err
		}
		had, err := from.commands(ctx, d.ID, math.MaxInt32)
		if err != nil {
			return err
		}
		for _, c := range slices.Backward(had) {
			if slices.ContainsFunc(known, func(o smartmeter.Command) bool { return o.ID == c.ID }) {
				continue
			}
			if err := s.PutCommand(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// carryEnergy takes over from another index the energy of days whose readings
// are no longer kept: no other file has it. What of it cannot be read is
// returned.
func (s *Store) carryEnergy(ctx context.Context, from *index) (unread []string, err error) {
	channels, err := from.channels(ctx)
	if err != nil && !errors.Is(err, errIndexBroken) {
		return nil, err
	}
	for _, row := range channels {
		c := s.byUID[row.uid]
		if c == nil {
			continue
		}
		days, lost, err := s.keptEnergy(ctx, c, from, row.key)
		if err != nil {
			return nil, err
		}
		if unread = append(unread, lost...); len(days) == 0 {
			continue
		}
		if err := s.index.apply(ctx, indexChange{energy: []energyChange{{channel: c.key, days: days, journal: remade()}}}); err != nil {
			return nil, err
		}
		c.energy.stale.Store(true)
	}
	return unread, nil
}

// keptEnergy returns the energy that another index has of a channel with days of
// which only the sums are left. The other days are there to be made again: how
// each of them ended tells whether those that stay go on from there.
func (s *Store) keptEnergy(ctx context.Context, c *channel, from *index, key channelKey) (days []energyDay, unread []string, err error) {
	thinned, err := s.thinnedDays(ctx, c)
	if err != nil || len(thinned) == 0 {
		return nil, nil, err
	}
	marks, err := from.energyMarks(ctx, key)
	if err != nil && !errors.Is(err, errIndexBroken) {
		return nil, nil, err
	}
	for _, number := range slices.Sorted(maps.Keys(marks)) {
		mark, stays := marks[number], slices.Contains(thinned, chunk.Day(number))
		one, err := from.energyDays(ctx, `SELECT day, packed FROM energy_day WHERE channel = ? AND day = ?`, key, number)
		switch {
		case stays && mark.chunk != 0 && (err != nil || len(one) == 0):
			unread = append(unread, fmt.Sprintf("%s of %v", c.name(), chunk.Day(number)))
		case err == nil && len(one) > 0 && stays && mark.chunk != 0:
			days = append(days, energyDay{mark, one[0]})
		case err == nil && len(one) > 0:
			days = append(days, energyDay{energyMark{mark.chunk, remade()}, one[0]})
		}
	}
	return days, unread, nil
}

// thinnedDays returns the days of a channel of which only the sums are left, in
// order.
func (s *Store) thinnedDays(ctx context.Context, c *channel) (days []chunk.Day, err error) {
	sealed, err := s.index.chunkMarks(ctx, c.key)
	if err != nil {
		return nil, err
	}
	for row, err := range s.index.sums(ctx, c.key, -1<<30, 1<<30) {
		if err != nil {
			return nil, err
		}
		if _, kept := sealed[row.day]; !kept {
			days = append(days, row.day)
		}
	}
	return days, nil
}

// name is what people know a channel by.
func (c *channel) name() string {
	switch {
	case c.id.node == "":
		return fmt.Sprintf("a device without a name (%x)", c.uid)
	case c.id.channel == 0:
		return string(c.id.node)
	default:
		return fmt.Sprintf("%s:%d", c.id.node, c.id.channel)
	}
}
