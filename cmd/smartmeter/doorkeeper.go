package main

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/access"
	"github.com/iot-smart-meter/smartmeter/internal/mqtt"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// doorkeeper stands at the broker's door, between what it knows of clients and
// what package access knows of nodes.
type doorkeeper struct {
	// nodes may come in. Nil for a hub that is open: everybody may, then.
	nodes  *access.Nodes
	topics wire.Topics
}

// hooks are the doorkeeper's decisions, for the broker.
func (d *doorkeeper) hooks() mqtt.Hooks {
	if d.nodes == nil {
		return mqtt.Hooks{Authorize: func(_ mqtt.Identity, want mqtt.Access, topic string, retain bool, _ byte) bool {
			return !retain || want != mqtt.Write || !d.isOrder(topic)
		}}
	}
	return mqtt.Hooks{Authenticate: d.admit, Authorize: d.allow}
}

// admit says who connects. The identity carries the kind of principal; its name
// is the client id.
func (d *doorkeeper) admit(c mqtt.Connect) (mqtt.Identity, error) {
	attempt := access.Attempt{
		ID: smartmeter.NodeID(c.ClientID), User: c.Username, Password: c.Password,
		Encrypted: c.TLS != nil,
	}
	if from, err := netip.ParseAddrPort(c.RemoteAddr.String()); err == nil {
		attempt.From = from.Addr().Unmap()
	}
	who, err := d.nodes.Enter(attempt)
	if refused, ok := errors.AsType[*access.NodeRefusal](err); ok && refused.Reason == "wrong_password" {
		err = fmt.Errorf("%w: %w", mqtt.ErrCredentials, refused)
	}
	return mqtt.Identity{User: who.Kind.String()}, err
}

// allow confines a node to what is its own, and to what nodes say: orders are
// the hub's to give. So a node can leave no order behind that the broker keeps
// for one that comes with its id.
func (d *doorkeeper) allow(who mqtt.Identity, want mqtt.Access, topic string, _ bool, _ byte) bool {
	p := access.Principal{Name: who.ClientID}
	switch who.User {
	case access.Node.String():
		p.Kind = access.Node
	case access.Unprotected.String():
		p.Kind = access.Unprotected
	}
	if want == mqtt.Read {
		return access.MayTopic("", p, access.Subscribe, topic)
	}
	return access.MayTopic("", p, access.Publish, topic) && !d.isOrder(topic)
}

// isOrder reports whether a topic is one that nodes obey.
func (d *doorkeeper) isOrder(topic string) bool {
	address, err := d.topics.Parse(topic)
	return err == nil && address.Kind.ToNode()
}
