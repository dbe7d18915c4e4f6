package board

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/iot-smart-meter/smartmeter/internal/node"
)

func home() Access {
	return Access{Network: "Home & Garden", Password: "läuft seit 1999", Broker: "hub.example", Port: 1883, Username: "esp", Token: "a+b=c"}
}

func TestAccessIsKept(t *testing.T) {
	for _, want := range []Access{home(), {Network: "open", Broker: "192.0.2.7", Port: 8883}} {
		got, err := DecodeAccess(want.Append(nil))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	if got, err := DecodeAccess(nil); err != nil || got.Known() {
		t.Errorf("nothing kept: %+v, %v", got, err)
	}
}

// What is kept is read as it was, or refused.
func TestAccessThatCannotBeRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := home()
		kept := a.Append(nil)
		at := rapid.IntRange(0, len(kept)-1).Draw(t, "at")
		kept = append(kept[:at:at], rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "rest")...)
		if got, err := DecodeAccess(kept); err == nil && got.Known() {
			if _, reason := got.Objection(); reason != "" || string(got.Append(nil)) == "" {
				t.Fatalf("took %q as %+v: %s", kept, got, reason)
			}
		}
	})
}

func TestAccessThatLeadsNowhere(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Access)
		field  string
	}{
		"no network":       {func(a *Access) { a.Network = "" }, "network"},
		"a long network":   {func(a *Access) { a.Network = strings.Repeat("x", 33) }, "network"},
		"a short password": {func(a *Access) { a.Password = "1234567" }, "password"},
		"a long password":  {func(a *Access) { a.Password = strings.Repeat("x", 64) }, "password"},
		"no broker":        {func(a *Access) { a.Broker = "" }, "broker"},
		"a URL":            {func(a *Access) { a.Broker = "mqtt://hub" }, "broker"},
		"a port in it":     {func(a *Access) { a.Broker = "hub:1883" }, "broker"},
		"a leading dot":    {func(a *Access) { a.Broker = ".local" }, "broker"},
		"port 0":           {func(a *Access) { a.Port = 0 }, "port"},
		"a long user name": {func(a *Access) { a.Username = strings.Repeat("x", 65) }, "username"},
		"a long token":     {func(a *Access) { a.Token = strings.Repeat("x", 129) }, "token"},
		"nothing":          {func(*Access) {}, ""},
	} {
		a := home()
		c.change(&a)
		if field, reason := a.Objection(); field != c.field || (reason == "") != (field == "") {
			t.Errorf("%s: %q %q, want %q", name, field, reason, c.field)
		}
	}
}

// The fuses of a board with the address 24:6f:28:0a:1b:2c, as the ESP32's manual
// orders them.
func TestIdentityFromTheFuses(t *testing.T) {
	if got := node.IDFromMAC("ESP32-", MACOf(0x280a1b2c, 0xAB00_246f)); got != "ESP32-246f280a1b2c" {
		t.Errorf("id %s", got)
	}
}
