package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// Correct is `smartmeter correct`: what people know and registers do not.
type Correct struct {
	Findings CorrectFindings `cmd:"" help:"What was found about a device's counters, and what waits for somebody."`
	Accept   CorrectAccept   `cmd:"" help:"Count energy that was held back: it was used."`
	Discard  CorrectDiscard  `cmd:"" help:"Leave energy that was held back uncounted: nobody used it."`
	Set      CorrectSet      `cmd:"" help:"Say how much a device used in a period."`
	Reset    CorrectReset    `cmd:"" help:"Say when a meter's register began again at 0."`
	Replace  CorrectReplace  `cmd:"" help:"Say when a meter was replaced, and what the new one showed."`
	Bind     CorrectBind     `cmd:"" help:"Say which node measures a device from some time on."`
	List     CorrectList     `cmd:"" help:"The journal of all of this."`
	Undo     CorrectUndo     `cmd:"" help:"Take an entry of the journal back."`
}

// Help is what --help shows below the commands.
func (*Correct) Help() string {
	return `What a register shows is never changed. What people know about it is kept in a
journal: who decided what, when and why. An undo is an entry, too, after which
every figure is what it was.

    $ smartmeter correct findings kiln
    AT                         KIND  HELD KWH  DECISION  REASON
    2026-11-01T08:00:10+01:00  jump   215.000  waits     more than 26 kW could …
    $ smartmeter correct accept kiln --by Ada --why "on all night, unheard"

` + exitHelp
}

// Decision holds the flags of whoever decides something.
type Decision struct {
	By  string `required:"" env:"SMARTMETER_BY,USER" placeholder:"NAME" help:"Who decides; you unless told."`
	Why string `required:"" placeholder:"TEXT" help:"Why, for whoever wonders in a year."`
	Zone
	Hub
}

// Help is what --help shows below the flags of a decision.
func (*Decision) Help() string { return exitHelp }

// Zone is the flag of commands that read and write times of days.
type Zone struct {
	TZ string `name:"tz" placeholder:"ZONE" help:"Whose clock times are by, like Europe/Berlin; the site's unless told, see \"smartmeter zone\"."`
}

// zone returns the zone that the flag names, the site's if none.
func (z *Zone) zone(env *Env, hub *Hub) (*time.Location, error) {
	if z.TZ != "" {
		return zoneNamed("--tz", z.TZ)
	}
	c, err := hub.open(env)
	if err != nil {
		return nil, err
	}
	s, _, err := c.settings(env)
	if err != nil {
		return nil, err
	}
	return s.zone(env)
}

// correction is an entry of the journal, in the API's words. What a kind does
// not need is absent.
type correction struct {
	ID      string     `json:"id,omitempty"`
	Made    *time.Time `json:"made,omitempty"`
	By      string     `json:"by"`
	Why     string     `json:"why"`
	Kind    string     `json:"kind"`
	Device  string     `json:"device,omitempty"`
	Node    string     `json:"node,omitempty"`
	Channel uint8      `json:"channel,omitempty"`
	From    *time.Time `json:"from,omitempty"`
	To      *time.Time `json:"to,omitempty"`
	Wh      *int64     `json:"wh,omitempty"`
	Target  string     `json:"target,omitempty"`
}

// enter has the hub enter a correction, and tells on env.Stdout what it means.
// flags are the names by which the person gave the fields of the API, in pairs.
func (d *Decision) enter(env *Env, c *client, entry correction, means string, flags ...string) error {
	entry.By, entry.Why = d.By, d.Why
	body, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	a, err := c.ask(env.Ctx, patience, http.MethodPost, "/api/v1/corrections", body)
	if err != nil {
		return uncorrected(err, append(flags, "body.by", "--by", "body.why", "--why"))
	}
	if d.JSON {
		return writeDocument(env.Stdout, a.body)
	}
	var made correction
	if err := json.Unmarshal(a.body, &made); err != nil || made.ID == "" {
		return c.stranger("an answer that is no entry of the journal")
	}
	_, err = fmt.Fprintf(env.Stdout, "%s\nTo take it back: smartmeter correct undo %s\n", means, printable(made.ID))
	return err
}

// uncorrected puts what the hub says of a field into the words of the command
// line.
func uncorrected(err error, flags []string) error {
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted: the entry may be in the journal all the same. Look with `smartmeter correct list`")
	}
	if lost, ok := errors.AsType[lostAnswer](err); ok {
		return errorf(smartmeter.NoAnswer, "the hub had the request, and then its answer was lost (%v): the entry may be in the journal or not. Look with `smartmeter correct list`", lost)
	}
	return inFlags(err, flags)
}

// inFlags writes flags in place of the API's fields; they are in pairs.
func inFlags(err error, flags []string) error {
	if known, ok := errors.AsType[*smartmeter.Error](err); ok {
		return errorf(known.Code, "%s", strings.NewReplacer(flags...).Replace(known.Message))
	}
	return err
}

// device returns a client for the hub, and the device that a word means.
func (h *Hub) device(env *Env, word string) (*client, *device, error) {
	c, err := h.open(env)
	if err != nil {
		return nil, nil, err
	}
	devices, _, err := c.devices(env.Ctx)
	if err != nil {
		return nil, nil, err
	}
	d, err := find(devices, word)
	return c, d, err
}
