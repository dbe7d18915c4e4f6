package api

import (
	"context"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/access"
)

type alert struct {
	ID             string     `json:"id"`
	Kind           string     `json:"kind" enum:"welded_relay,dead_load,not_obeying,cut_off"`
	Severity       string     `json:"severity" enum:"info,warning,critical"`
	Device         string     `json:"device"`
	Text           string     `json:"text" doc:"what was noticed, and what to do about it"`
	RaisedAt       time.Time  `json:"raised_at"`
	AcknowledgedAt *time.Time `json:"acknowledged_at"`
	AcknowledgedBy string     `json:"acknowledged_by"`
	ClearedAt      *time.Time `json:"cleared_at" doc:"when it was over; null while it is open"`
}

type alertList struct {
	Alerts []alert `json:"alerts"`
}

type alertsRequest struct {
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

// listAlerts answers with the open ones and then those of the past.
func (a *api) listAlerts(ctx context.Context, in *alertsRequest) (*body[alertList], error) {
	alerts, err := a.hub.Alerts(ctx, in.Limit)
	if err != nil {
		return nil, a.fail(err)
	}
	list := alertList{Alerts: []alert{}}
	for _, one := range alerts {
		list.Alerts = append(list.Alerts, showAlert(one))
	}
	return &body[alertList]{list}, nil
}

type alertPath struct {
	ID string `path:"id" maxLength:"64"`
}

func (a *api) acknowledgeAlert(ctx context.Context, in *alertPath) (*body[alert], error) {
	by := string(smartmeter.CauseAPI)
	if who := whoAsks(ctx); who.Kind != access.Console {
		by = who.Name
	}
	acknowledged, err := a.hub.AcknowledgeAlert(ctx, in.ID, by)
	if err != nil {
		return nil, a.fail(err)
	}
	return &body[alert]{showAlert(acknowledged)}, nil
}

func showAlert(a smartmeter.Alert) alert {
	return alert{
		ID:             a.ID,
		Kind:           string(a.Kind),
		Severity:       string(a.Severity),
		Device:         string(a.Device),
		Text:           a.Text,
		RaisedAt:       a.RaisedAt.Time(),
		AcknowledgedAt: instantOrNone(a.AcknowledgedAt),
		AcknowledgedBy: a.AcknowledgedBy,
		ClearedAt:      instantOrNone(a.ClearedAt),
	}
}

// instantOrNone returns nil for an instant that is not known.
func instantOrNone(i smartmeter.Instant) *time.Time {
	if i == 0 {
		return nil
	}
	at := i.Time()
	return &at
}
