package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// finding is what the ledger found about a device's counter.
type finding struct {
	At       time.Time `json:"at"`
	Kind     string    `json:"kind"`
	Held     int64     `json:"held_wh"`
	Reason   string    `json:"reason"`
	Decision string    `json:"decision"`
}

// findings asks for all that was found about a device.
func (c *client) findings(ctx context.Context, d *device) ([]finding, answer, error) {
	a, err := c.ask(ctx, patience, http.MethodGet, "/api/v1/devices/"+url.PathEscape(d.ID)+"/energy/findings", nil)
	if err != nil {
		return nil, a, err
	}
	var list struct {
		Findings []finding `json:"findings"`
	}
	if err := json.Unmarshal(a.body, &list); err != nil {
		return nil, a, c.stranger("an answer that is no list of findings")
	}
	return list.Findings, a, nil
}

// CorrectFindings is `smartmeter correct findings`.
type CorrectFindings struct {
	Device string `arg:"" help:"The device's id, or its name if no other has it."`
	Zone
	Hub
}

// Help is what --help shows below the flags.
func (*CorrectFindings) Help() string {
	return `Where a counter began, was reset or replaced, came around, jumped, or was not to
be believed. Energy that is HELD is in no figure until somebody accepts it.

` + exitHelp
}

var findingColumns = []column{{head: "AT"}, {head: "KIND"}, {head: "HELD KWH", right: true}, {head: "DECISION"}, {head: "REASON"}}

// Run prints what was found on env.Stdout.
func (f *CorrectFindings) Run(env *Env) error {
	zone, err := f.zone(env, &f.Hub)
	if err != nil {
		return err
	}
	c, d, err := f.device(env, f.Device)
	if err != nil {
		return err
	}
	found, a, err := c.findings(env.Ctx, d)
	switch {
	case err != nil:
		return err
	case f.JSON:
		return writeDocument(env.Stdout, a.body)
	}
	rows := make([][]string, len(found))
	for i, f := range found {
		held, decision := absent, absent
		if f.Held > 0 {
			held, decision = kilowattHours(&f.Held), cmp.Or(f.Decision, "waits")
		}
		rows[i] = []string{exactly(f.At, zone), printable(f.Kind), held, printable(decision), printable(cmp.Or(f.Reason, absent))}
	}
	return writeTable(env.Stdout, findingColumns, rows)
}

// journal asks for all that people decided, oldest first.
func (c *client) journal(ctx context.Context) ([]correction, answer, error) {
	a, err := c.ask(ctx, patience, http.MethodGet, "/api/v1/corrections", nil)
	if err != nil {
		return nil, a, err
	}
	var list struct {
		Corrections []correction `json:"corrections"`
	}
	if err := json.Unmarshal(a.body, &list); err != nil {
		return nil, a, c.stranger("an answer that is no journal")
	}
	return list.Corrections, a, nil
}

// CorrectList is `smartmeter correct list`.
type CorrectList struct {
	Zone
	Hub
}

// Help is what --help shows below the flags.
func (*CorrectList) Help() string {
	return `The journal, oldest entry first, with all that was ever decided: nothing is taken
out of it. Of an entry that was undone STATE says so.

` + exitHelp
}

var journalColumns = []column{
	{head: "MADE"},
	{head: "BY"},
	{head: "WHAT"},
	{head: "DEVICE"},
	{head: "FROM"},
	{head: "TO"},
	{head: "KWH", right: true},
	{head: "STATE"},
	{head: "WHY"},
	{head: "ID"},
}

// Run prints the journal on env.Stdout.
func (l *CorrectList) Run(env *Env) error {
	zone, err := l.zone(env, &l.Hub)
	if err != nil {
		return err
	}
	c, err := l.open(env)
	if err != nil {
		return err
	}
	journal, a, err := c.journal(env.Ctx)
	switch {
	case err != nil:
		return err
	case l.JSON:
		return writeDocument(env.Stdout, a.body)
	}
	undone := undoneIn(journal)
	rows := make([][]string, len(journal))
	for i, e := range journal {
		rows[i] = e.row(undone[e.ID], zone)
	}
	return writeTable(env.Stdout, journalColumns, rows)
}

// undoneIn returns the ids of the entries that are not in force: an undo can be
// undone.
func undoneIn(journal []correction) map[string]bool {
	undone := make(map[string]bool)
	for _, e := range slices.Backward(journal) {
		if e.Kind == string(smartmeter.CorrectUndo) && !undone[e.ID] {
			undone[e.Target] = true
		}
	}
	return undone
}

func (e *correction) row(undone bool, zone *time.Location) []string {
	when := func(t *time.Time) string {
		if t == nil {
			return absent
		}
		return exactly(*t, zone)
	}
	state, what := "in force", e.Kind
	if undone {
		state = "undone"
	}
	if e.Target != "" {
		what += " " + shortID(e.Target)
	}
	return []string{
		when(e.Made), printable(e.By), printable(what), printable(cmp.Or(e.Device, absent)), when(e.From), when(e.To),
		kilowattHours(e.Wh), state, printable(e.Why), printable(shortID(e.ID)),
	}
}

// shortID is as much of an id as tells it from others in a house's journal.
func shortID(id string) string { return id[:min(len(id), 8)] }

// CorrectUndo is `smartmeter correct undo`.
type CorrectUndo struct {
	ID string `arg:"" help:"The entry's ID, or the first part of it; see \"smartmeter correct list\"."`
	Decision
}

// Run takes an entry back.
func (u *CorrectUndo) Run(env *Env) error {
	c, err := u.open(env)
	if err != nil {
		return err
	}
	journal, _, err := c.journal(env.Ctx)
	if err != nil {
		return err
	}
	var fits []correction
	for _, e := range journal {
		if len(u.ID) >= 4 && strings.HasPrefix(e.ID, strings.ToUpper(u.ID)) || e.ID == u.ID {
			fits = append(fits, e)
		}
	}
	switch len(fits) {
	case 0:
		return errorf(smartmeter.NotFound, "no entry of the journal has the ID %q: give one of `smartmeter correct list`, or four letters of it at least", u.ID)
	case 1:
	default:
		return errorf(smartmeter.Invalid, "the IDs of %d entries of the journal begin with %q: give more of the one that is meant; `smartmeter correct list --json` has them whole", len(fits), u.ID)
	}
	e := fits[0]
	means := "The entry of " + printable(e.By) + " (" + printable(e.Kind) + ": " + printable(e.Why) + ") is undone."
	return u.enter(env, c, correction{Kind: string(smartmeter.CorrectUndo), Target: e.ID}, means, "body.target", "ID")
}
