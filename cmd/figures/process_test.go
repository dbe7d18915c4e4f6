package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startBrokerProcess runs the broker until the test stops it.
func startBrokerProcess(t *testing.T) *contender {
	t.Helper()
	b := &bench{broker: filepath.Join(t.TempDir(), "broker")}
	if err := build(t.Context(), b.broker, "figures/broker"); err != nil {
		t.Fatal(err)
	}
	c, err := b.startBroker(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestBrokerProcessSaysWhatItTook(t *testing.T) {
	c := startBrokerProcess(t)
	f, err := join(t.Context(), c.mqtt, "node", 5)
	if err != nil {
		t.Fatal(err)
	}
	defer f.leave()
	if err := f.burst(10, 1, fielded); err != nil {
		t.Fatal(err)
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	if c.last != "took 50" {
		t.Errorf("the broker's last word is %q, want took 50", c.last)
	}
}

func TestProcessAccounts(t *testing.T) {
	before, err := cpu(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// Work until it shows; a clock that stands still would never end this.
	for after := before; after <= before; {
		if after, err = cpu(os.Getpid()); err != nil {
			t.Fatal(err)
		}
	}
	now, err := memory(os.Getpid(), resident)
	if err != nil {
		t.Fatal(err)
	}
	peak, err := memory(os.Getpid(), residentPeak)
	if err != nil {
		t.Fatal(err)
	}
	if now < 1e6 || peak < 1e6 || peak > 1e11 {
		t.Errorf("resident %v bytes, at the peak %v", now, peak)
	}
	if _, err := memory(os.Getpid(), "VmNothing"); err == nil {
		t.Error("a size that does not exist has a value")
	}
}

func TestLaunchSaysWhatWentWrong(t *testing.T) {
	for name, c := range map[string]struct{ args, want string }{
		"ends early":      {"echo too bad >&2", "ended before it was ready: too bad"},
		"ends badly":      {"echo ready a=1; read x; exit 3", "exit status 3"},
		"is asked to end": {"echo ready a=1 b=2; read x; exit 0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := launch(t.Context(), "/bin/sh", "-c", "trap : TERM; "+c.args)
			if err == nil {
				if p.addresses["a"] != "1" {
					t.Errorf("addresses %v", p.addresses)
				}
				err = p.stop()
			}
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("says %v, want %q", err, c.want)
			}
		})
	}
	if _, err := launch(t.Context(), "/nowhere"); err == nil {
		t.Error("launched a program that does not exist")
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var said tail
	for i := range 1000 {
		fmt.Fprintf(&said, "line %d\n", i)
	}
	if got := said.String(); len(got) > tailLength || !strings.HasSuffix(got, "line 999") {
		t.Errorf("%d bytes, the end of which is %q", len(got), got[max(0, len(got)-20):])
	}
}

// The made-up day is one that a hub could have heard.
func TestPastMeter(t *testing.T) {
	begin := time.UnixMilli(1_764_000_000_000)
	m := newPastMeter(3, begin)
	last := m.Reading
	for range 5000 {
		r := m.next()
		if r.Implausible() != 0 {
			t.Fatalf("implausible: %+v", r)
		}
		if r.Seq != last.Seq+1 || r.At-last.At != 5000 || r.Energy < last.Energy {
			t.Fatalf("%+v follows %+v", r, last)
		}
		last = r
	}
	if last.Energy == 0 {
		t.Error("nothing was ever used")
	}
}
