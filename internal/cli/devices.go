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
	Register bool `help:"Show what the meters' own counters say, too."`
	Hub
}

// Help is what --help shows below the flags.
func (*Devices) Help() string {
	return `One line per device: what it draws now, what it has used today, and where its
relay stands. W, V and A are shown only while they are live; a "-" is not a zero.
KWH TODAY is since midnight of the site (see "smartmeter zone"), and the same as
"smartmeter energy" tells. With --register there is also what the meter's own
counter shows: that only says how far it has counted, and is no consumption.

    $ smartmeter devices
    NAME    ID          ROOM     STATE      W      V      A  KWH TODAY  RELAY  SEEN
    Fridge  sim-fridge  Kitchen  online  83.2  230.1  0.412      0.913  on     2 s ago

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
	used, _, err := c.energy(env, nil)
	if err != nil {
		return err
	}
	return writeTable(env.Stdout, d.columns(), d.rows(devices, used.whole(), cmp.Or(a.at, time.Now())))
}

const noDevices = "No devices yet. A device appears here when its node first speaks to the hub's MQTT port.\n" +
	"To look around without a meter, start a simulated house with `smartmeter demo`.\n"

func (d *Devices) columns() []column {
	columns := []column{
		{head: "NAME"},
		{head: "ID"},
		{head: "ROOM"},
		{head: "STATE"},
		{head: "W", right: true},
		{head: "V", right: true},
		{head: "A", right: true},
		{head: "KWH TODAY", right: true},
	}
	if d.Register {
		columns = append(columns, column{head: "REGISTER", right: true})
	}
	return append(columns, column{head: "RELAY"}, column{head: "SEEN"})
}

// rows are the devices as of now, a time of the hub's clock, with what they used
// today.
func (d *Devices) rows(devices []device, today map[string]int64, now time.Time) [][]string {
	rows := make([][]string, len(devices))
	for i := range devices {
		rows[i] = d.row(&devices[i], today, now)
	}
	return rows
}

func (d *Devices) row(of *device, today map[string]int64, now time.Time) []string {
	var live, last reading
	if of.Latest != nil {
		last = *of.Latest
	}
	// An old value is not what the device draws now. Energy is another matter: it
	// stands still while nobody reads it.
	if of.Online && !of.MeterSilent {
		live = last
	}
	row := []string{
		printable(of.label()),
		printable(of.ID),
		cmp.Or(printable(of.Room), absent),
		of.state(),
		fixed(live.Power, 1),
		fixed(live.Voltage, 1),
		fixed(live.Current, 3),
		absent,
	}
	if wh, known := today[of.ID]; known {
		row[len(row)-1] = kilowattHours(&wh)
	}
	if d.Register {
		row = append(row, kilowattHours(last.EnergyWh))
	}
	return append(row, of.Relay.String(), seen(of.LastSeen, now))
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
