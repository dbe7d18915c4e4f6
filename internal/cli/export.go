package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// Export is `smartmeter export`.
type Export struct {
	Device []string `arg:"" optional:"" help:"Names or ids; all devices if none is given."`
	From   string   `required:"" placeholder:"TIME" help:"Begin of the time: a date like 2026-11-01 or an RFC 3339 time."`
	To     string   `placeholder:"TIME" help:"Its end, which is not part of it; now unless told."`
	What   string   `default:"readings" enum:"readings,energy" help:"readings, or energy with its quality and cost; ${default} unless told."`
	Step   string   `placeholder:"STEP" help:"Width of a row: raw, 1m, 15m or 1h of readings, raw unless told; 15m, 1h, 1d, 1w or 1mo of energy, 1d unless told."`
	Zone   string   `name:"tz" placeholder:"ZONE" help:"Whose days and months, like Europe/Berlin; the hub's own unless told."`
	Format string   `placeholder:"FORMAT" help:"csv or parquet; by the end of the file's name unless told."`
	Out    string   `short:"o" placeholder:"FILE" help:"Where it goes; CSV goes to the standard output unless told."`
	Hub
}

// Help is what --help shows below the flags.
func (*Export) Help() string {
	return `The history of devices as a table, row by row, device after device: for a table
calculation (CSV) or for analysis (Parquet). Columns have their units in their
names. Times in CSV are RFC 3339 in UTC, in Parquet timestamps in milliseconds UTC.
What was not measured is empty (null), never 0. Costs are decimals as text. Rooms,
the house and what is unmetered are in "smartmeter energy --csv".

The file gets its name when it is whole; until then, and when something fails on
the way, what had that name stays.

    $ smartmeter export fridge --from 2026-11-01 --step 15m -o fridge.parquet
    fridge.parquet: 2880 rows of 1 devices

` + exitHelp
}

// What is exported in which steps, the first unless told.
var (
	readingSteps = []string{"raw", "1m", "15m", "1h"}
	energySteps  = []string{"1d", "15m", "1h", "1w", "1mo"}
)

// Validate refuses flags that cannot be obeyed, and fills in what was not told.
func (e *Export) Validate() error {
	steps := readingSteps
	if e.What == "energy" {
		steps = energySteps
	}
	e.Step = cmp.Or(e.Step, steps[0])
	if !strings.Contains(" "+strings.Join(steps, " ")+" ", " "+e.Step+" ") {
		return fmt.Errorf("--step %s: %s come in steps of %s", e.Step, e.What, strings.Join(steps, ", "))
	}
	if e.Format == "" && e.Out == "" {
		e.Format = "csv"
	}
	e.Format = cmp.Or(e.Format, strings.TrimPrefix(filepath.Ext(e.Out), "."))
	switch {
	case e.Format != "csv" && e.Format != "parquet":
		return fmt.Errorf("--format %q: say csv or parquet, or end the file's name so", e.Format)
	case e.Format == "parquet" && e.Out == "":
		return errors.New("parquet is not for a terminal: name a file with -o")
	}
	return nil
}

// export is the work of Export.
type export struct {
	*Export
	c        *client
	ctx      context.Context
	from, to time.Time
	zone     string // as the hub is asked
	devices  []device
	at       int // the device that it is at
	rows     int
	progress *Progress
}

// Run writes the table.
func (e *Export) Run(env *Env) error {
	c, err := e.open(env)
	if err != nil {
		return err
	}
	w := export{Export: e, c: c, ctx: env.Ctx, zone: e.Zone, progress: NewProgress(env.Stderr, "exporting")}
	if err := w.prepare(); err != nil {
		return err
	}
	out, err := createOutput(e.Out, env.Stdout)
	if err != nil {
		return err
	}
	defer out.discard()
	err = w.write(out)
	w.progress.End()
	if err != nil {
		return err
	}
	if err := out.keep(); err != nil || e.Out == "" {
		return err
	}
	if e.JSON {
		_, err = fmt.Fprintf(env.Stdout, "{\"file\": %q, \"rows\": %d, \"devices\": %d}\n", e.Out, w.rows, len(w.devices))
	} else {
		_, err = fmt.Fprintf(env.Stdout, "%s: %d rows of %d devices\n", e.Out, w.rows, len(w.devices))
	}
	return err
}

// prepare finds out which devices, and which time.
func (w *export) prepare() error {
	all, a, err := w.c.devices(w.ctx)
	if err != nil {
		return err
	}
	w.devices = all
	if len(w.Device) > 0 {
		w.devices = nil
		for _, word := range w.Device {
			d, err := find(all, word)
			if err != nil {
				return err
			}
			w.devices = append(w.devices, *d)
		}
	}
	now := a.at
	if now.IsZero() {
		now = time.Now()
	}
	if w.from, err = w.instant("--from", w.From); err != nil {
		return err
	}
	switch {
	case w.To != "":
		w.to, err = w.instant("--to", w.To)
	case w.What == "energy": // which goes by quarter hours
		w.to = now.Truncate(quarter).Add(quarter)
	default:
		w.to = now
	}
	if err == nil && !w.from.Before(w.to) {
		err = errorf(smartmeter.Invalid, "--from must be before --to")
	}
	return err
}

// instant reads a time. Of a date only the hub knows when it begins there: its
// answer about the energy of that day tells.
func (w *export) instant(flag, s string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	day, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return day, errorf(smartmeter.Invalid, "%s %q: give a date like 2026-11-01 or a time like 2026-11-01T08:00:00+01:00", flag, s)
	}
	query := url.Values{"from": {s}, "to": {day.AddDate(0, 0, 1).Format(time.DateOnly)}, "step": {"whole"}}
	if w.zone != "" {
		query.Set("tz", w.zone)
	}
	if len(w.devices) > 0 {
		query.Set("device", w.devices[0].ID)
	}
	var answer struct {
		From time.Time `json:"from"`
	}
	err = w.get("/api/v1/energy?"+query.Encode(), &answer)
	return answer.From, err
}

// get asks the hub and reads its answer.
func (w *export) get(path string, into any) error {
	a, err := w.c.ask(w.ctx, patienceExport, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(a.body, into); err != nil {
		return w.c.stranger("an answer that is no table")
	}
	return nil
}

const quarter = 15 * time.Minute

// patienceExport is how long a part of an export may take: a Pi adds up months.
const patienceExport = 2 * time.Minute

// write writes all rows in the form that was asked for.
func (w *export) write(out *output) error {
	switch {
	case w.What == "energy":
		return writeRows(w, out, w.energyOf)
	case w.Step == "raw":
		return writeRows(w, out, w.readingsOf)
	default:
		return writeRows(w, out, w.sumsOf)
	}
}

// writeRows writes what of yields of each device.
func writeRows[R row](w *export, out *output, of func(d *device, each func(R) error) error) error {
	table := newTable[R](w.Format, out)
	for i := range w.devices {
		w.at = i
		err := of(&w.devices[i], func(r R) error {
			w.rows++
			return table.write(r)
		})
		if err != nil {
			return err
		}
	}
	return table.end()
}

// tell shows that all of the present device before an instant is written.
func (w *export) tell(until time.Time) {
	of := w.to.Sub(w.from)
	done := time.Duration(w.at)*of + until.Sub(w.from)
	w.progress.Show(int64(done/time.Second), int64(of*time.Duration(len(w.devices))/time.Second))
}
