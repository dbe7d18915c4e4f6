package access

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// TestS2GuessesAreHardlyEvaluated tries 1,000 passwords a minute, from one
// address, from many, at one account and at many.
func TestS2GuessesAreHardlyEvaluated(t *testing.T) {
	for _, test := range []struct {
		name string
		from func(i int) string
		who  func(i int) string
	}{
		{"one address, one account", func(int) string { return "10.0.0.1" }, func(int) string { return "anna" }},
		{"one address, many names", func(int) string { return "10.0.0.1" }, func(i int) string { return fmt.Sprint("n", i) }},
		{"many addresses, one account", func(i int) string { return fmt.Sprintf("10.0.%d.%d", i/250, i%250) }, func(int) string { return "anna" }},
		{"many addresses, many names", func(i int) string { return fmt.Sprintf("10.0.%d.%d", i/250, i%250) }, func(i int) string { return fmt.Sprint("n", i) }},
		{"one network of IPv6", func(i int) string { return fmt.Sprintf("2001:db8::%x", i) }, func(i int) string { return fmt.Sprint("n", i) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, _ := withAnna(t)
				before := l.hasher.done.Load()
				for i := range 1000 {
					time.Sleep(time.Minute / 1000)
					_, err := l.LogIn(t.Context(), Credentials{Name: test.who(i), Password: fmt.Sprint("guess number ", i), From: netip.MustParseAddr(test.from(i))})
					if code := smartmeter.CodeOf(err); code != smartmeter.LoginNeeded && code != smartmeter.TooMany {
						t.Fatalf("guess %d: %v", i, err)
					}
				}
				if n := l.hasher.done.Load() - before; n > 10 || n == 0 {
					t.Errorf("%d of 1,000 guesses in a minute were evaluated; at most 10 may be", n)
				}
			})
		})
	}
}

// TestS2TheRightfulUserStillGetsIn logs in while others guess at the account.
func TestS2TheRightfulUserStillGetsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, o := withAnna(t)
		guess := func(from string) {
			for range 20 {
				_, _ = l.LogIn(t.Context(), Credentials{Name: "anna", Password: "a bad guess", From: netip.MustParseAddr(from)})
			}
		}
		guess("10.0.0.1")
		elsewhere := netip.MustParseAddr("172.16.0.9")
		if _, err := l.LogIn(t.Context(), Credentials{Name: "anna", Password: goodPassword, From: home}); err != nil {
			t.Errorf("from the address that is known: %v", err)
		}
		if _, err := l.LogIn(t.Context(), Credentials{Name: "anna", Password: goodPassword, Device: o.Device, From: elsewhere}); err != nil {
			t.Errorf("by the browser that is known: %v", err)
		}
		stranger := Credentials{Name: "anna", Password: goodPassword, From: netip.MustParseAddr("10.9.9.9")}
		_, err := l.LogIn(t.Context(), stranger)
		wait, ok := errors.AsType[Wait](err)
		if !ok {
			t.Fatalf("from a new address: %v", err)
		}
		time.Sleep(wait.For)
		if _, err := l.LogIn(t.Context(), stranger); err != nil {
			t.Errorf("from a new address, after the wait of %v: %v", wait.For, err)
		}
	})
}

func TestS2ADeviceIsKnownToItsAccountOnly(t *testing.T) {
	l, o := withAnna(t)
	l.add(o.Principal, NewAccount{Name: "ben", Role: Admin})
	for i := range 20 {
		_, err := l.LogIn(t.Context(), Credentials{Name: "ben", Password: "a bad guess", Device: o.Device, From: netip.MustParseAddr("10.0.0.1")})
		if want := smartmeter.TooMany; i >= freeTries {
			wantCode(t, "anna's device at ben's account", err, want)
		}
	}
	for i := range 20 {
		_, err := l.LogIn(t.Context(), Credentials{Name: "anna", Password: "a bad guess", Device: o.Device, From: home})
		if i >= freeTries {
			wantCode(t, "a stolen device", err, smartmeter.TooMany)
		}
	}
}

func TestS2TheFirstRunsCodeIsNotGuessed(t *testing.T) {
	l := newLab(t)
	for i := range 20 {
		_, err := l.SetUp(t.Context(), "AAAAA-AAAAA", Credentials{Name: "eve", Password: goodPassword, From: home})
		want := smartmeter.Denied
		if i >= freeTries {
			want = smartmeter.TooMany
		}
		wantCode(t, "a guess", err, want)
	}
}

func TestWaitsGrowAndEnd(t *testing.T) {
	var l lockout
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	a := attempt{device: "x"}
	var waits []time.Duration
	for range 12 {
		wait := l.admit(now, a)
		if wait > 0 {
			waits = append(waits, wait)
			if now = now.Add(wait); l.admit(now, a) != 0 {
				t.Fatal("the wait was told too short")
			}
		}
	}
	want := []time.Duration{1, 2, 4, 8, 15, 15, 15}
	for i, wait := range waits {
		if wait != want[i]*time.Minute {
			t.Errorf("wait %d is %v, want %d min", i, wait, want[i])
		}
	}
	if len(waits) != len(want) {
		t.Errorf("%d waits, want %d", len(waits), len(want))
	}
	now = now.Add(forgetAfter + 1)
	for range 2 {
		if l.admit(now, a) != 0 {
			t.Error("what is a day old still counts")
		}
	}
}

func TestLockoutStaysSmall(t *testing.T) {
	var l lockout
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for i := range maxKeys + 500 {
		l.strike(now, fmt.Sprint("source ", i))
	}
	if len(l.keys) > maxKeys {
		t.Errorf("%d keys are held", len(l.keys))
	}
}
