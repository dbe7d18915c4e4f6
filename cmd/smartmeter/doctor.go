package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/cli"
	"github.com/iot-smart-meter/smartmeter/internal/store"
)

// doctorCommand is `smartmeter doctor`.
type doctorCommand struct {
	Data   string `default:"./data" placeholder:"DIR" help:"The data directory to examine: ${default} unless told."`
	Repair bool   `help:"Mend what is safe to mend, and keep what is taken away."`
	JSON   bool   `name:"json" help:"Print it for programs."`
}

// Help is shown by --help.
func (doctorCommand) Help() string {
	return `Examines a data directory while no hub has it open: every frame of the log and of
the monthly files, every day's readings, and whether the database says what they
come to: sums, energy, devices, commands, corrections, watermarks. Ten years take
some minutes. Nothing is changed; copies are made in $TMPDIR, twice the size of the
database.

With --repair the database is made again, torn and damaged files are written again
without what is damaged, and files are put in their places. What was replaced is
kept in the directory "aside" of the data directory, until you remove it or erase
a device.

    $ smartmeter doctor
    ./data: 14 monthly files with 3912 frames (24.1 MiB), 12 records in the log, 9 devices
    healthy

Exit status:

    0  healthy, or mended
    1  something was found, and is not mended; or the disk failed meanwhile
    2  the command line is wrong
    4  a hub has the directory open; stop it first
    6  it cannot be examined; the message says why
`
}

// Validate refuses flags that cannot be obeyed.
func (c *doctorCommand) Validate() error {
	if c.Data == "" {
		return errors.New("--data is empty: name the directory of the hub's history, like ./data")
	}
	return nil
}

// Run examines and says what it found.
func (c *doctorCommand) Run(env *cli.Env) error {
	progress := cli.NewProgress(env.Stderr, "examining")
	r, err := c.examine(env, progress)
	progress.End()
	switch {
	case errors.Is(err, store.ErrInUse):
		return &smartmeter.Error{Code: smartmeter.Conflict, Message: "cannot examine what changes", Err: err}
	case err != nil && len(r.Done) == 0:
		return &smartmeter.Error{Code: smartmeter.Unavailable, Message: "cannot examine " + c.Data, Err: err}
	}
	if wrong := c.write(env.Stdout, r); err == nil {
		err = wrong
	}
	if err == nil && !r.After.Healthy() {
		return earlyExit(1)
	}
	return err
}

func (c *doctorCommand) examine(env *cli.Env, progress *cli.Progress) (r store.Repaired, err error) {
	cfg := store.DoctorConfig{Dir: c.Data, Progress: progress.Show}
	if c.Repair {
		return store.Repair(env.Ctx, cfg)
	}
	r.Before, err = store.Examine(env.Ctx, cfg)
	r.After = r.Before
	return r, err
}

func (c *doctorCommand) write(w io.Writer, r store.Repaired) error {
	if c.JSON {
		out := json.NewEncoder(w)
		out.SetIndent("", "  ")
		if c.Repair {
			return out.Encode(r)
		}
		return out.Encode(r.Before)
	}
	d := r.Before
	fmt.Fprintf(w, "%s: %d monthly files with %d frames (%s), %d records in the log, %d devices\n", c.Data, d.Files, d.Frames, cli.Size(d.Bytes), d.Records, d.Devices)
	for _, note := range d.Notes {
		fmt.Fprintf(w, "note: %s\n", note)
	}
	writeFindings(w, d)
	if !c.Repair || d.Healthy() {
		return writeEnd(w, d, "healthy", "run smartmeter doctor --repair with the same --data to mend what can be mended")
	}
	fmt.Fprintln(w)
	for _, done := range r.Done {
		fmt.Fprintf(w, "done: %s\n", done)
	}
	if r.Aside != "" {
		fmt.Fprintf(w, "what was replaced is kept in %s\n", filepath.Join(c.Data, r.Aside))
	}
	if !r.After.Healthy() {
		fmt.Fprintln(w, "\nstill there:")
		writeFindings(w, r.After)
	}
	return writeEnd(w, r.After, "mended: it is healthy now", "that is beyond repair here: save the directory, and look at the disk")
}

func writeFindings(w io.Writer, d store.Diagnosis) {
	for _, f := range d.Findings {
		fmt.Fprintf(w, "%s: %s\n", f.Where, f.What)
	}
}

func writeEnd(w io.Writer, d store.Diagnosis, well, otherwise string) error {
	if d.Healthy() {
		otherwise = well
	}
	_, err := fmt.Fprintln(w, otherwise)
	return err
}
