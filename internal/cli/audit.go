package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// Audit is `smartmeter audit`.
type Audit struct {
	Hub
	Limit  int  `default:"50" help:"How many entries to show: ${default} unless told, 1000 at most."`
	Export bool `xor:"form" help:"Print the whole log as the hub keeps it, to be checked with --check."`
}

// Help is what --help shows below the flags.
func (*Audit) Help() string {
	return `Tells who did what, the latest last, and whether the log is as it was written.

    $ smartmeter audit
    2026-11-03 18:04:11  person anna  192.168.1.20  switch-relay  heater on
    The log is whole: 412 lines

Each line carries the hash of the one before. Keep an export elsewhere now and
then: whoever can write all of the hub's files could forge its log, but not that.

` + exitHelp
}

// Run prints the log.
func (a *Audit) Run(env *Env) error {
	c, err := a.open(env)
	if err != nil {
		return err
	}
	path := "/api/v1/audit?limit=" + strconv.Itoa(a.Limit)
	if a.Export {
		path = "/api/v1/audit/export"
	}
	got, err := c.ask(env.Ctx, patience, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if a.JSON || a.Export {
		_, err := env.Stdout.Write(got.body)
		return err
	}
	return a.show(env, c, got)
}

func (a *Audit) show(env *Env, c *client, got answer) error {
	var log struct {
		Entries []struct {
			At                    time.Time
			Who, From, Did, About string
		}
		Lines  uint64
		Intact bool
		Broken string
	}
	if err := json.Unmarshal(got.body, &log); err != nil {
		return c.stranger("an answer that is no audit log")
	}
	for i := len(log.Entries) - 1; i >= 0; i-- {
		e := log.Entries[i]
		fmt.Fprintf(env.Stdout, "%s  %s  %s  %s  %s\n", e.At.In(env.zone()).Format(time.DateTime), printable(e.Who), printable(e.From), printable(e.Did), printable(e.About))
	}
	if !log.Intact {
		return errorf(smartmeter.Internal, "%s", printable(log.Broken))
	}
	fmt.Fprintf(env.Stdout, "The log is whole: %d lines\n", log.Lines)
	return nil
}
