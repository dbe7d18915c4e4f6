package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Devices is `smartmeter devices`.
type Devices struct {
	Hub
}

// Help is what --help shows below the flags.
func (*Devices) Help() string {
	return `One line per device: what it draws now, what its meter's own counter says, and
where its relay stands. W, V and A are shown only while they are live; a "-" is
not a zero. KWH is the meter's register, not a consumption since some day.

    $ smartmeter devices
    NAME    ID          ROOM     STATE      W      V      A     KWH  RELAY  SEEN
    Fridge  sim-fridge  Kitchen  online  83.2  230.1  0.412  12.345  on     2 s ago

` + exitHelp
}

// Run lists the hub's devices on env.Stdout.
func (d *Devices) Run(env *Env) error {
	c, err := d.open(env)
	if err != nil {
		return err
	}
	devices, a, err := c.devices(env.Ctx)
	switch {
	case err != nil:
		return err
	case d.JSON:
		return writeDocument(env.Stdout, a.body)
	case len(devices) == 0:
		_, err := fmt.Fprint(env.Stdout, noDevices)
		return err
	}
	return writeDevices(env.Stdout, devices, cmp.Or(a.at, time.Now()))
}

const noDevices = "No devices yet. A device appears here when its node first speaks to the hub's MQTT port.\n" +
	"To look around without a meter, start a simulated house with `smartmeter demo`.\n"

var deviceColumns = []column{
	{head: "NAME"},
	{head: "ID"},
	{head: "ROOM"},
	{head: "STATE"},
	{head: "W", right: true},
	{head: "V", right: true},
	{head: "A", right: true},
	{head: "KWH", right: true},
	{head: "RELAY"},
	{head: "SEEN"},
}

// writeDevices writes the table as of now, a time of the hub's clock.
func writeDevices(w io.Writer, devices []device, now time.Time) error {
	rows := make([][]string, len(devices))
	for i := range devices {
		rows[i] = deviceRow(&devices[i], now)
	}
	return writeTable(w, deviceColumns, rows)
}

func deviceRow(d *device, now time.Time) []string {
	var live, last reading
	if d.Latest != nil {
		last = *d.Latest
	}
	// An old value is not what the device draws now. The register is another
	// matter: it stands still while nobody reads it.
	if d.Online && !d.MeterSilent {
		live = last
	}
	return []string{
		printable(d.label()),
		printable(d.ID),
		cmp.Or(printable(d.Room), absent),
		d.state(),
		fixed(live.Power, 1),
		fixed(live.Voltage, 1),
		fixed(live.Current, 3),
		kilowattHours(last.EnergyWh),
		d.Relay.String(),
		seen(d.LastSeen, now),
	}
}

// String tells where a relay stands and what it is waited for.
func (r relay) String() string {
	s := printable(cmp.Or(r.State, "unknown"))
	if r.Command != nil && (r.Command.State == "requested" || r.Command.State == "sent") {
		s += ", asked for " + printable(r.Command.Set)
	}
	return s
}

// seen tells how long ago t was, in the unit a person would use.
func seen(t *time.Time, now time.Time) string {
	if t == nil {
		return "never"
	}
	switch d := now.Sub(*t); {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", d/time.Hour)
	default:
		return fmt.Sprintf("%d d ago", d/(24*time.Hour))
	}
}

// writeDocument writes the hub's own document, laid out for reading.
func writeDocument(w io.Writer, document []byte) error {
	var out bytes.Buffer
	if err := json.Indent(&out, bytes.TrimSpace(document), "", "  "); err != nil {
		return fmt.Errorf("lay out the hub's answer: %w", err)
	}
	out.WriteByte('\n')
	_, err := w.Write(out.Bytes())
	return err
}
