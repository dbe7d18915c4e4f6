package hub

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/alert"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// alertID is what a device can have one open alert of.
type alertID struct {
	device smartmeter.DeviceID
	kind   smartmeter.AlertKind
}

// maxAlerts bounds how many alerts of the past an answer has.
const maxAlerts = 1000

// deafAfter is how many commands in a row a node that is there leaves without
// an answer until its relay is said not to obey. One may be lost.
const deafAfter = 2

// rememberAlerts takes up the alerts that were open when the hub stopped.
func (h *Hub) rememberAlerts(ctx context.Context) error {
	alerts, err := h.store.Alerts(ctx, maxNodes)
	if err != nil {
		return err
	}
	for _, a := range alerts {
		if a.Open() && h.devices[a.Device] != nil {
			h.alerts[alertID{a.Device, a.Kind}] = a
		}
	}
	return nil
}

// watchRelay lets a fresh reading tell what is wrong with a relay. The caller
// holds mu.
func (h *Hub) watchRelay(c *channel, r smartmeter.Reading) {
	n := c.node
	if !r.Has.Has(smartmeter.Power) || !c.hasRelay() || !n.online {
		return
	}
	position := n.relay
	if !n.relayHeard && n.info == nil { // the broker had kept it, from who knows when
		position = smartmeter.RelayUnknown
	}
	c.watch.Moved(position)
	switch c.watch.See(r.At, r.Power, c.device.Kind) {
	case alert.Welded:
		if !h.measuresOthers(c) {
			h.raise(c, smartmeter.AlertWeldedRelay, smartmeter.Critical, fmt.Sprintf(
				"Its relay is off, and its load still draws %s: the contact may be welded. Pull its plug or take out its fuse, and have the relay replaced.", watts(r.Power)))
		}
	case alert.Opens:
		h.clear(c, smartmeter.AlertWeldedRelay)
	case alert.Dead:
		if !h.measuresOthers(c) {
			h.raise(c, smartmeter.AlertDeadLoad, severityOfDead(c.device.Kind),
				"Its relay is on, and its load draws nothing: see whether it is plugged in, its own switch is on, and its fuse is well.")
		}
	case alert.Alive:
		h.clear(c, smartmeter.AlertDeadLoad)
	}
}

// severityOfDead is higher for what must run.
func severityOfDead(kind smartmeter.LoadKind) smartmeter.Severity {
	if kind == smartmeter.MustStayOn {
		return smartmeter.Warning
	}
	return smartmeter.Info
}

// measuresOthers reports whether other devices are behind the same meter: then
// what it measures says nothing about the load of its own relay.
func (h *Hub) measuresOthers(c *channel) bool {
	for _, other := range h.devices {
		if other.device.Parent == c.device.ID {
			return true
		}
	}
	return false
}

// noteCutOff raises an alert when a node has cut off, however often it tells of
// it, and clears it when a person has reset it.
func (h *Hub) noteCutOff(c *channel, e wire.NodeEvent) {
	switch e.Kind {
	case wire.NodeOvercurrent, wire.NodeOverpower:
		much := amperes(e.Current)
		if e.Kind == wire.NodeOverpower {
			much = watts(e.Power)
		}
		h.raise(c, smartmeter.AlertCutOff, smartmeter.Critical,
			"Its node cut it off at "+much+", and keeps it off until somebody resets that. See what is wrong with the load first.")
	case wire.NodeReset:
		h.clear(c, smartmeter.AlertCutOff)
	}
}

// noteDeaf counts commands that a node left without an answer, and begins anew
// when it answers one. The caller holds mu.
func (h *Hub) noteDeaf(c *channel, answered bool) {
	switch {
	case answered:
		c.node.deaf = 0
		h.clear(c, smartmeter.AlertNotObeying)
	case c.node.online:
		if c.node.deaf++; c.node.deaf >= deafAfter {
			h.raise(c, smartmeter.AlertNotObeying, smartmeter.Warning,
				"Its node sends readings and does not answer commands: nobody knows whether its relay moves. Restart the node, and see whether the broker lets it read its commands.")
		}
	}
}

// raise raises an alert, unless there is one of its kind. The caller holds mu.
func (h *Hub) raise(c *channel, kind smartmeter.AlertKind, severity smartmeter.Severity, text string) {
	id := alertID{c.device.ID, kind}
	if _, open := h.alerts[id]; open || c.erasing {
		return
	}
	h.persist(c)
	h.putAlert(c, smartmeter.Alert{
		ID: rand.Text(), Kind: kind, Severity: severity, Device: c.device.ID, Text: text,
		RaisedAt: h.at(time.Now()).wall,
	})
}

// clear ends an alert, if there is one. The caller holds mu.
func (h *Hub) clear(c *channel, kind smartmeter.AlertKind) {
	a, open := h.alerts[alertID{c.device.ID, kind}]
	if !open || c.erasing {
		return
	}
	if kind == smartmeter.AlertCutOff && !c.node.history.budget.spend(time.Now(), movesAtOnce, moveEvery) {
		return // somebody plays with it; the next word counts
	}
	a.ClearedAt = h.at(time.Now()).wall
	h.putAlert(c, a)
}

// putAlert keeps an alert as it is now, and tells. The caller holds mu.
func (h *Hub) putAlert(c *channel, a smartmeter.Alert) {
	id := alertID{a.Device, a.Kind}
	if h.alerts[id] = a; !a.Open() {
		delete(h.alerts, id)
	}
	h.note(h.store.PutAlert(a))
	h.events.publishAlert(c.status(), a)
}

// forgetAlerts drops the open alerts of an erased device. The caller holds mu.
func (h *Hub) forgetAlerts(d smartmeter.DeviceID) {
	for id := range h.alerts {
		if id.device == d {
			delete(h.alerts, id)
		}
	}
}

// Alerts returns the open alerts and then those of the past, each newest first.
func (h *Hub) Alerts(ctx context.Context, limit int) ([]smartmeter.Alert, error) {
	alerts, err := h.store.Alerts(ctx, min(limit, maxAlerts))
	return alerts, unavailable(err)
}

var errNoSuchAlert = smartmeter.NewError(smartmeter.NotFound, "alert", "there is no open alert with this id; GET /api/v1/alerts lists them all")

// AcknowledgeAlert notes that somebody has seen an open alert. The first one
// counts.
func (h *Hub) AcknowledgeAlert(ctx context.Context, id, by string) (smartmeter.Alert, error) {
	a, err := h.acknowledgeAlert(id, by)
	if err != nil {
		return a, err
	}
	return a, unavailable(h.store.Sync(ctx))
}

func (h *Hub) acknowledgeAlert(id, by string) (smartmeter.Alert, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.alerts {
		c := h.devices[a.Device]
		if a.ID != id || c == nil {
			continue
		}
		if a.AcknowledgedAt == 0 {
			a.AcknowledgedAt, a.AcknowledgedBy = h.at(time.Now()).wall, by
			h.putAlert(c, a)
		}
		return a, nil
	}
	return smartmeter.Alert{}, errNoSuchAlert
}
