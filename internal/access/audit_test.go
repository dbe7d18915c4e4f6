package access

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
)

// written returns the log of a hub on which this and that was done.
func written(t *testing.T) (*lab, []byte) {
	t.Helper()
	l, anna := withAnna(t)
	for i := range 20 {
		l.Note(anna.Principal, "switch-relay", fmt.Sprintf("kettle <%d> \u2028 \xff", i))
	}
	if err := l.RemoveAccount(anna.Principal, "anna"); err == nil {
		t.Fatal("the last admin was removed")
	}
	text, err := l.ExportAudit()
	if err != nil {
		t.Fatal(err)
	}
	return l, text
}

func TestS12WhatWasDoneIsWritten(t *testing.T) {
	l, text := written(t)
	a, err := l.Audit(0, 5)
	if err != nil || a.Err != nil || len(a.Entries) != 5 || a.Chain.Lines != 23 {
		t.Fatalf("%+v, %v", a, err)
	}
	if e := a.Entries[1]; e.N != 22 || e.Who != "person anna" || e.From != "192.168.1.20" || e.Did != "switch-relay" || e.About != "kettle <19> \u2028 " {
		t.Errorf("entry %+v", e)
	}
	if older, err := l.Audit(a.Entries[4].N, 100); err != nil || len(older.Entries) != 18 || older.Entries[17].Did != "first-run" {
		t.Errorf("older entries %+v, %v", older, err)
	}
	l.reopen()
	again, err := l.ExportAudit()
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("after a restart the log is another: %v", err)
	}
}

// TestS12AnyChangeIsDetected changes the log in every place.
func TestS12AnyChangeIsDetected(t *testing.T) {
	_, text := written(t)
	lines := bytes.SplitAfter(text, []byte("\n"))
	lines = lines[:len(lines)-1]
	broken := func(what string, tampered []byte) {
		t.Helper()
		if _, err := CheckAudit(bytes.NewReader(tampered), &Chain{}, func(Entry) {}); err == nil {
			t.Errorf("%s is not detected", what)
		}
	}
	if _, err := CheckAudit(bytes.NewReader(text), &Chain{}, func(Entry) {}); err != nil {
		t.Fatal(err)
	}
	for i := range text {
		if text[i] != '\n' { // between lines, one kind of break is as good as another
			flipped := bytes.Clone(text)
			flipped[i] ^= 1
			broken(fmt.Sprintf("another byte %d", i), flipped)
		}
	}
	for i := range lines {
		if i < len(lines)-1 {
			broken(fmt.Sprintf("line %d removed", i+1), bytes.Join(slices.Delete(slices.Clone(lines), i, i+1), nil))
			swapped := slices.Clone(lines)
			swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
			broken(fmt.Sprintf("line %d moved", i+1), bytes.Join(swapped, nil))
		}
		broken(fmt.Sprintf("line %d doubled", i+1), bytes.Join(slices.Insert(slices.Clone(lines), i, lines[i]), nil))
		var e Entry
		e, err := parseEntry(bytes.TrimSuffix(lines[i], []byte("\n")))
		if err != nil {
			t.Fatal(err)
		}
		e.Who = "person mallory"
		forged, _ := e.seal(e.Before)
		if i < len(lines)-1 {
			broken(fmt.Sprintf("line %d forged, its hash with it", i+1), bytes.Join(slices.Concat(lines[:i], [][]byte{forged}, lines[i+1:]), nil))
		}
	}
}

// TestS12AShortenedLogIsDetected takes the end away: a line that access.json
// knows of is missing then.
func TestS12AShortenedLogIsDetected(t *testing.T) {
	for _, keep := range []string{"all but one", "nothing"} {
		t.Run(keep, func(t *testing.T) {
			l, _ := written(t)
			if err := l.change(func(*book) error { return nil }); err != nil {
				t.Fatal(err)
			}
			text, err := l.ExportAudit()
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			end := 0
			if keep == "all but one" {
				end = bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
			}
			if err := disk.ReplaceFile(l.files, auditName, text[:end]); err != nil {
				t.Fatal(err)
			}
			l.open()
			if a, err := l.Audit(0, 1); err != nil || a.Err == nil {
				t.Errorf("not detected: %+v, %v", a, err)
			}
		})
	}
}

func TestTheLogGoesOnInAnotherFile(t *testing.T) {
	l, anna := withAnna(t)
	l.audit.size = maxAudit // as if it were full
	l.Note(anna.Principal, "one", "")
	l.audit.size = maxAudit
	l.Note(anna.Principal, "two", "")
	l.reopen()
	l.Note(anna.Principal, "three", "")
	a, err := l.Audit(0, 100)
	if err != nil || a.Err != nil {
		t.Fatal(err, a.Err)
	}
	var did []string
	for _, e := range a.Entries {
		did = append(did, e.Did)
	}
	if got := strings.Join(did, " "); got != "three two one" {
		t.Errorf("the log has %q", got)
	}
}

// TestPowerCutsLeaveAWholeLogAndBook cuts the power at each write of a life.
func TestPowerCutsLeaveAWholeLogAndBook(t *testing.T) {
	for cut := 1; ; cut++ {
		d := faultdisk.New(uint64(cut))
		d.CrashAfter(cut)
		l := &lab{t: t, files: d}
		done := live(l)
		survived := !d.Crashed()
		l.files = d.Crash()
		l.open()
		if a, err := l.Audit(0, 1); err != nil || a.Err != nil {
			t.Errorf("cut at %d: %v, %v", cut, err, a.Err)
		}
		for _, name := range done {
			if _, known := l.book.Load().Accounts[name]; !known {
				t.Errorf("cut at %d: account %s was made, and is gone", cut, name)
			}
		}
		l.Close()
		if survived {
			return
		}
	}
}

// live makes accounts until the power is cut, and returns which were confirmed.
func live(l *lab) (done []string) {
	p, err := OpenPeople(PeopleConfig{Files: l.files, Logger: discard})
	if err != nil {
		return nil
	}
	defer p.Close()
	for _, name := range []string{"a", "b", "c"} {
		p.note(AtConsole(), "make-account", name)
		err := p.change(func(b *book) error {
			b.Accounts[name] = account{scope: scope{Role: "admin"}}
			return nil
		})
		if err != nil {
			return done
		}
		done = append(done, name)
	}
	return done
}

func TestGuessesDoNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := withAnna(t)
		before, _ := l.Audit(0, 1)
		for range 3000 {
			time.Sleep(time.Second)
			l.noteFailure(home, "login", fmt.Sprint("typed a password here ", rand.Uint64()))
		}
		after, _ := l.Audit(0, 100)
		if n := after.Chain.Lines - before.Chain.Lines; n > failuresNoted {
			t.Errorf("%d failures are in the log", n)
		}
		time.Sleep(time.Hour)
		l.noteFailure(home, "login", "anna")
		last, _ := l.Audit(0, 1)
		if got := last.Entries[0].About; got != "anna and 2940 more that are not listed" {
			t.Errorf("the next line says %q", got)
		}
		if text, _ := l.ExportAudit(); bytes.Contains(text, []byte("typed a password")) {
			t.Error("what was typed as a name is in the log")
		}
	})
}
