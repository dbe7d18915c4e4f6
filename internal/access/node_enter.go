package access

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// Attempt is a node at the door of the broker.
type Attempt struct {
	ID        smartmeter.NodeID // its client id, as it was sent
	User      string
	Password  []byte
	From      netip.Addr
	Encrypted bool
}

// NodeRefusal is why a node does not come in: a word for programs, and a
// sentence for people.
type NodeRefusal struct{ Reason, Text string }

// Error returns the sentence.
func (r *NodeRefusal) Error() string { return r.Text }

// The refusals.
var (
	refusedID      = &NodeRefusal{"bad_id", "its client id cannot be a node's: 1 to 64 characters of A-Z a-z 0-9 . _ - and nothing else"}
	refusedUnknown = &NodeRefusal{"not_accepted", "nobody has accepted it yet"}
	refusedRevoked = &NodeRefusal{"revoked", "it was revoked"}
	refusedSecret  = &NodeRefusal{"wrong_password", "its user name or password is wrong"}
	refusedPlain   = &NodeRefusal{"needs_encryption", "it has to come encrypted, to the port of MQTT over TLS"}
	refusedTLS     = &NodeRefusal{"needs_login", "it is accepted without a login, which is good for the port without encryption only"}
	refusedCode    = &NodeRefusal{"bad_code", "its pairing code is wrong, used already, or older than ten minutes"}
	refusedTaken   = &NodeRefusal{"id_taken", "there is a node of its id already; revoke that one, or pair it by a code for this id"}
)

// Enter says who a node at the door is, or as a *NodeRefusal why it stays
// outside. It notes that it knocked, while somebody wants to know.
func (n *Nodes) Enter(a Attempt) (Principal, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	who, err := n.enter(a)
	if refused, ok := errors.AsType[*NodeRefusal](err); ok {
		n.note(a, refused)
	}
	return who, err
}

// enter decides. A node whose answer to its pairing was lost pairs again with
// the same secret, by which it is known already. The caller holds mu.
func (n *Nodes) enter(a Attempt) (Principal, error) {
	r := n.records[a.ID]
	who := Principal{Kind: Node, Name: string(a.ID), From: a.From}
	switch {
	case !smartmeter.ValidNodeID(string(a.ID)):
		return Principal{}, refusedID
	case r.accepted() && r.Kind == Paired && !a.Encrypted:
		return Principal{}, refusedPlain
	case r.accepted() && r.knows(a.Password):
		return who, nil
	case smartmeter.IsPairing(a.User):
		return n.pair(a)
	case r.ID == "":
		return Principal{}, refusedUnknown
	case !r.accepted():
		return Principal{}, refusedRevoked
	case r.Kind != WithoutLogin:
		return Principal{}, refusedSecret
	case a.Encrypted:
		return Principal{}, refusedTLS
	}
	who.Kind = Unprotected
	return who, nil
}

// Knock is a node that was refused, and how often.
type Knock struct {
	ID        string // as it was sent
	From      netip.Addr
	Encrypted bool
	Why       NodeRefusal
	Count     int
	First     time.Time
	Last      time.Time
}

// maxKnocks and maxKnocksOfOne bound the list, and what one address takes of
// it: a stranger must not push out the node that somebody is waiting for.
const (
	maxKnocks      = 200
	maxKnocksOfOne = 20
)

// OpenWindow lists knocks from now on, for ten minutes. It forgets those of the
// window before, unless that is still open.
func (n *Nodes) OpenWindow() (until time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.now().Before(n.window) {
		n.knocks = nil
	}
	n.window = n.now().Add(claimTime)
	return n.window
}

// Knocks returns who knocked in the window, last one first, and until when it
// is open; the zero time if it is not.
func (n *Nodes) Knocks() (knocks []Knock, until time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.now().Before(n.window) {
		return nil, time.Time{}
	}
	for i := len(n.knocks) - 1; i >= 0; i-- {
		knocks = append(knocks, n.knocks[i])
	}
	return knocks, n.window
}

// note lists a knock while the window is open. The latest is last. The caller
// holds mu.
func (n *Nodes) note(a Attempt, why *NodeRefusal) {
	now := n.now()
	if !now.Before(n.window) {
		return
	}
	knock := Knock{ID: clip(string(a.ID)), From: a.From, Encrypted: a.Encrypted, Why: *why, First: now}
	ofOne := 0
	for i, k := range n.knocks {
		if k.From == knock.From {
			ofOne++
		}
		if k.ID == knock.ID && k.From == knock.From && k.Encrypted == knock.Encrypted && k.Why == knock.Why {
			knock = k
			n.knocks = append(n.knocks[:i], n.knocks[i+1:]...)
			ofOne = 0
			break
		}
	}
	if ofOne >= maxKnocksOfOne {
		return
	}
	if len(n.knocks) >= maxKnocks {
		n.knocks = n.knocks[1:]
	}
	knock.Count++
	knock.Last = now
	n.knocks = append(n.knocks, knock)
}

// clip keeps what a stranger calls itself short.
func clip(id string) string { return strings.ToValidUTF8(id[:min(len(id), 64)], "") }
