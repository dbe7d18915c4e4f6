package cli

import (
	"fmt"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// CorrectAccept is `smartmeter correct accept`.
type CorrectAccept struct{ Held }

// Run counts what was held back.
func (a *CorrectAccept) Run(env *Env) error {
	return a.decide(env, smartmeter.CorrectAccept, "are counted")
}

// CorrectDiscard is `smartmeter correct discard`.
type CorrectDiscard struct{ Held }

// Run leaves uncounted what was held back.
func (d *CorrectDiscard) Run(env *Env) error {
	return d.decide(env, smartmeter.CorrectDiscard, "stay uncounted")
}

// Held is a decision about energy that was held back.
type Held struct {
	Device string `arg:"" help:"The device's id, or its name if no other has it."`
	At     string `placeholder:"TIME" help:"The finding's AT, see \"smartmeter correct findings\"; the only one that waits unless told."`
	Decision
}

// decide decides about the finding that is meant.
func (h *Held) decide(env *Env, kind smartmeter.CorrectionKind, what string) error {
	zone, err := h.zone(env, &h.Hub)
	if err != nil {
		return err
	}
	c, d, err := h.device(env, h.Device)
	if err != nil {
		return err
	}
	found, _, err := c.findings(env.Ctx, d)
	if err != nil {
		return err
	}
	f, err := h.meant(found, d, zone)
	if err != nil {
		return err
	}
	means := fmt.Sprintf("%s: %s kWh found at %s %s.", printable(d.label()), kilowattHours(&f.Held), exactly(f.At, zone), what)
	return h.enter(env, c, correction{Kind: string(kind), Device: d.ID, From: &f.At}, means, "body.from", "--at")
}

// meant returns the finding at the time that was given, or the only one that
// waits.
func (h *Held) meant(found []finding, d *device, zone *time.Location) (*finding, error) {
	const list = "list what was found with `smartmeter correct findings`"
	name := printable(d.label())
	var waiting []*finding
	for i := range found {
		if f := &found[i]; f.Held > 0 && (h.At != "" || f.Decision == "") {
			waiting = append(waiting, f)
		}
	}
	if h.At == "" {
		switch len(waiting) {
		case 0:
			return nil, errorf(smartmeter.NotFound, "no energy of %s waits for a decision; one that was made is named with --at: %s", name, list)
		case 1:
			return waiting[0], nil
		default:
			return nil, errorf(smartmeter.Invalid, "%d findings of %s wait for a decision: name one with --at, like --at %s", len(waiting), name, exactly(waiting[0].At, zone))
		}
	}
	at, err := moment("--at", h.At, zone)
	if err != nil {
		return nil, err
	}
	for _, f := range waiting {
		if f.At.Equal(at) {
			return f, nil
		}
	}
	return nil, errorf(smartmeter.NotFound, "--at %s: no energy of %s is held there; %s", h.At, name, list)
}

// CorrectSet is `smartmeter correct set`.
type CorrectSet struct {
	Device string    `arg:"" help:"The device's id, or its name if no other has it."`
	KWh    kilowatts `arg:"" name:"kwh" help:"What it used in all of that time."`
	From   string    `required:"" placeholder:"TIME" help:"Begin of the period, at a quarter hour: a date like 2026-11-01 or a time like 2026-11-01T08:15."`
	To     string    `required:"" placeholder:"TIME" help:"Its end, which is not part of it."`
	Decision
}

// Run says how much was used.
func (s *CorrectSet) Run(env *Env) error {
	zone, err := s.zone(env, &s.Hub)
	if err != nil {
		return err
	}
	from, err := moment("--from", s.From, zone)
	if err != nil {
		return err
	}
	to, err := moment("--to", s.To, zone)
	if err != nil {
		return err
	}
	c, d, err := s.device(env, s.Device)
	if err != nil {
		return err
	}
	means := fmt.Sprintf("%s used %s kWh from %s to %s.", printable(d.label()), kilowattHours(&s.KWh.wh), exactly(from, zone), exactly(to, zone))
	return s.enter(env, c, correction{Kind: string(smartmeter.CorrectSet), Device: d.ID, From: &from, To: &to, Wh: &s.KWh.wh},
		means, "body.from", "--from", "body.to", "--to", "body.wh", "the kWh")
}

// CorrectReset is `smartmeter correct reset`.
type CorrectReset struct {
	Device string `arg:"" help:"The device's id, or its name if no other has it."`
	At     string `required:"" placeholder:"TIME" help:"When the register was at 0 again, like 2026-11-01T08:00."`
	Decision
}

// Run says when a register began again.
func (r *CorrectReset) Run(env *Env) error {
	return r.begins(env, r.Device, r.At, correction{Kind: string(smartmeter.CorrectReset)}, "0")
}

// CorrectReplace is `smartmeter correct replace`.
type CorrectReplace struct {
	Device string    `arg:"" help:"The device's id, or its name if no other has it."`
	At     string    `required:"" placeholder:"TIME" help:"When the new meter began, like 2026-11-01T08:00."`
	KWh    kilowatts `name:"kwh" placeholder:"KWH" help:"What the new one showed then, if that is known."`
	Decision
}

// Run says when a meter was replaced.
func (r *CorrectReplace) Run(env *Env) error {
	entry, shows := correction{Kind: string(smartmeter.CorrectReplace)}, "what its first reading shows"
	if r.KWh.given {
		entry.Wh, shows = &r.KWh.wh, kilowattHours(&r.KWh.wh)+" kWh"
	}
	return r.begins(env, r.Device, r.At, entry, shows)
}

// begins says that a device's register began at some time to count from what it
// showed.
func (d *Decision) begins(env *Env, word, when string, entry correction, shows string) error {
	zone, err := d.zone(env, &d.Hub)
	if err != nil {
		return err
	}
	at, err := moment("--at", when, zone)
	if err != nil {
		return err
	}
	c, of, err := d.device(env, word)
	if err != nil {
		return err
	}
	entry.Device, entry.From = of.ID, &at
	means := fmt.Sprintf("%s: the register counts from %s since %s.", printable(of.label()), shows, exactly(at, zone))
	return d.enter(env, c, entry, means, "body.from", "--at", "body.wh", "--kwh")
}

// CorrectBind is `smartmeter correct bind`.
type CorrectBind struct {
	Device  string `arg:"" help:"The device's id, or its name if no other has it."`
	Node    string `required:"" placeholder:"NODE" help:"The node that measures it, by its id."`
	Channel uint8  `placeholder:"N" help:"Which of the node's inputs, 0 unless told."`
	At      string `required:"" placeholder:"TIME" help:"Since when, like 2026-11-01T08:00."`
	Decision
}

// Run says which node measures a device.
func (b *CorrectBind) Run(env *Env) error {
	zone, err := b.zone(env, &b.Hub)
	if err != nil {
		return err
	}
	at, err := moment("--at", b.At, zone)
	if err != nil {
		return err
	}
	c, d, err := b.device(env, b.Device)
	if err != nil {
		return err
	}
	entry := correction{Kind: string(smartmeter.CorrectBind), Device: d.ID, Node: b.Node, Channel: b.Channel, From: &at}
	means := fmt.Sprintf("%s is measured by input %d of %s since %s.", printable(d.label()), b.Channel, printable(b.Node), exactly(at, zone))
	return b.enter(env, c, entry, means, "body.from", "--at", "body.node", "--node", "body.channel", "--channel")
}

// exactly writes an instant so that it can be given again, to the millisecond.
func exactly(t time.Time, zone *time.Location) string { return t.In(zone).Format(time.RFC3339Nano) }
