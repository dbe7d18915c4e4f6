package api

import (
	"context"
	"errors"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/access"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
)

type finding struct {
	At       time.Time `json:"at" doc:"first reading of the counter after; a decision names the finding by it, as from"`
	Kind     string    `json:"kind" enum:"first,reset,rollover,replaced,jump,glitch"`
	Before   time.Time `json:"before" doc:"last reading of the counter before"`
	FromWh   int64     `json:"from_wh" doc:"the register before"`
	ToWh     int64     `json:"to_wh" doc:"the register after"`
	HeldWh   int64     `json:"held_wh" doc:"energy that is not counted until a person decides; 0 for none"`
	Reason   string    `json:"reason" doc:"why it is held"`
	Count    int       `json:"count" doc:"glitches in a row"`
	Decision string    `json:"decision" enum:"accept,discard," doc:"what a person decided about the held energy"`
}

type findingList struct {
	Findings []finding `json:"findings"`
}

type findingsRequest struct {
	DevicePath
	EnergyRange
}

func (a *api) listFindings(ctx context.Context, in *findingsRequest) (*body[findingList], error) {
	if in.From == "" {
		in.From = "2000-01-01"
	}
	q, err := a.energyQuery(ctx, &in.EnergyRange)
	if err != nil {
		return nil, a.fail(err)
	}
	found, err := a.hub.Findings(ctx, smartmeter.DeviceID(in.ID), q.From, q.To)
	if err != nil {
		return nil, a.fail(err)
	}
	list := findingList{Findings: []finding{}}
	for _, f := range found {
		list.Findings = append(list.Findings, showFinding(f, q.Zone))
	}
	return &body[findingList]{list}, nil
}

func showFinding(f hub.Finding, zone *time.Location) finding {
	return finding{
		At: f.To.At.Time().In(zone), Kind: f.Kind.String(), Before: f.From.At.Time().In(zone),
		FromWh: int64(f.From.Register), ToWh: int64(f.To.Register), HeldWh: int64(f.Held),
		Reason: f.Reason.String(), Count: f.Count, Decision: string(f.Decision),
	}
}

// correction is an entry of the journal. What a kind does not need is absent.
type correction struct {
	ID      string     `json:"id"`
	Made    time.Time  `json:"made"`
	By      string     `json:"by"`
	Why     string     `json:"why"`
	Kind    string     `json:"kind" enum:"accept,discard,set,reset,replace,bind,undo"`
	Node    string     `json:"node,omitempty" doc:"the channel that it is about"`
	Channel uint8      `json:"channel"`
	Device  string     `json:"device,omitempty"`
	From    *time.Time `json:"from,omitempty"`
	To      *time.Time `json:"to,omitempty"`
	Wh      *int64     `json:"wh,omitempty"`
	Target  string     `json:"target,omitempty" doc:"id of the entry that is undone"`
}

type correctionList struct {
	Corrections []correction `json:"corrections"`
}

func (a *api) listCorrections(ctx context.Context, _ *struct{}) (*body[correctionList], error) {
	journal, err := a.hub.Corrections(ctx)
	if err != nil {
		return nil, a.fail(err)
	}
	list := correctionList{Corrections: []correction{}}
	for _, c := range journal {
		list.Corrections = append(list.Corrections, showCorrection(c))
	}
	return &body[correctionList]{list}, nil
}

func showCorrection(c smartmeter.Correction) correction {
	shown := correction{
		ID: c.ID, Made: c.Made.Time(), By: c.By, Why: c.Why, Kind: string(c.Kind),
		Node: string(c.Node), Channel: c.Channel, Device: string(c.Device), Target: c.Target,
	}
	for at, field := range map[smartmeter.Instant]**time.Time{c.From: &shown.From, c.To: &shown.To} {
		if at != 0 {
			t := at.Time()
			*field = &t
		}
	}
	if c.EnergyKnown {
		wh := int64(c.Energy)
		shown.Wh = &wh
	}
	return shown
}

type correctionRequest struct {
	Body struct {
		Kind    string    `json:"kind" enum:"accept,discard,set,reset,replace,bind,undo" doc:"accept or discard: the held energy found at from; set: wh were used from from to to; reset: the register began again at 0 at from; replace: another meter, which showed wh, since from; bind: node and channel measure the device since from; undo: takes target back"`
		By      string    `json:"by" minLength:"1" maxLength:"64" doc:"who decided"`
		Why     string    `json:"why" minLength:"1" maxLength:"500"`
		Device  string    `json:"device,omitempty" maxLength:"80" doc:"needed for all but undo"`
		From    time.Time `json:"from,omitempty"`
		To      time.Time `json:"to,omitempty"`
		Wh      *int64    `json:"wh,omitempty" minimum:"0"`
		Node    string    `json:"node,omitempty" maxLength:"64" doc:"for bind"`
		Channel uint8     `json:"channel,omitempty" maximum:"7" doc:"for bind"`
		Target  string    `json:"target,omitempty" maxLength:"64" doc:"for undo"`
	}
}

func (a *api) addCorrection(ctx context.Context, in *correctionRequest) (*body[correction], error) {
	b := &in.Body
	c := smartmeter.Correction{
		Kind: smartmeter.CorrectionKind(b.Kind), By: b.By, Why: b.Why, Device: smartmeter.DeviceID(b.Device),
		Node: smartmeter.NodeID(b.Node), Channel: b.Channel, Target: b.Target,
	}
	if !b.From.IsZero() {
		c.From = smartmeter.InstantOf(b.From)
	}
	if !b.To.IsZero() {
		c.To = smartmeter.InstantOf(b.To)
	}
	if b.Wh != nil {
		c.Energy, c.EnergyKnown = smartmeter.WattHour(*b.Wh), true
	}
	if c.Kind == smartmeter.CorrectSet && !c.EnergyKnown {
		return nil, a.fail(smartmeter.NewError(smartmeter.Invalid, "body.wh", "say how much was used"))
	}
	return a.correct(ctx, c, "body.")
}

type undoRequest struct {
	ID  string `path:"id" maxLength:"64" doc:"id of the entry"`
	By  string `query:"by" required:"true" minLength:"1" maxLength:"64" doc:"who takes it back"`
	Why string `query:"why" required:"true" minLength:"1" maxLength:"500"`
}

func (a *api) undoCorrection(ctx context.Context, in *undoRequest) (*body[correction], error) {
	return a.correct(ctx, smartmeter.Correction{Kind: smartmeter.CorrectUndo, Target: in.ID, By: in.By, Why: in.Why}, "path.")
}

// correct enters a correction; where says which part of the request it is from.
func (a *api) correct(ctx context.Context, c smartmeter.Correction, where string) (*body[correction], error) {
	if who := whoAsks(ctx); who.Kind != access.Console {
		c.By = who.Name // nobody signs with another's name
	}
	made, err := a.hub.Correct(ctx, c)
	if known, ok := errors.AsType[*smartmeter.Error](err); ok && known.Field != "" {
		field := known.Field
		if field == "energy" {
			field = "wh"
		}
		err = &smartmeter.Error{Code: known.Code, Field: where + field, Message: known.Message, Err: known.Err}
	}
	if err != nil {
		return nil, a.fail(err)
	}
	return &body[correction]{showCorrection(made)}, nil
}
