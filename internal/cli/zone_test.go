package cli_test

import (
	"regexp"
	"strings"
	"testing"
)

func TestZone(t *testing.T) {
	handler, kept := priceHub(`{"zone":"","currency":"","prices":[]}`, 0, "")
	s, flag := serve(t, handler)
	machine := "The zone of the hub's machine. Name another with `smartmeter zone`.\n"
	check(t, s.run(t, "zone", flag), result{Stdout: machine})
	berlin := regexp.MustCompile(`^Europe/Berlin, where it is \d\d:\d\d now\n$`)
	for _, args := range [][]string{{"zone", "Europe/Berlin", flag}, {"zone", flag}} {
		if got := s.run(t, args...); got.Code != 0 || !berlin.MatchString(got.Stdout) {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if *kept != `{"zone":"Europe/Berlin"}` {
		t.Errorf("the hub was told %s; what it was not told stays", *kept)
	}
	if got := s.run(t, "zone", "--json", flag); !strings.Contains(got.Stdout, `"zone": "Europe/Berlin"`) {
		t.Errorf("--json prints %s", got.Stdout)
	}
	check(t, s.run(t, "zone", "machine", flag), result{Stdout: machine})
}

func TestZoneRefused(t *testing.T) {
	handler, _ := priceHub(`{}`, 422, `{"title":"Unprocessable Entity","detail":"is no time zone","errors":[{"location":"body.zone","message":"is no time zone"}]}`)
	s, flag := serve(t, handler)
	check(t, s.run(t, "zone", "Mars", flag), result{Stderr: `"Mars": is no time zone`, Code: 2})
}
