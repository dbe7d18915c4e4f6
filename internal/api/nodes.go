package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/access"
)

// Claiming is how nodes are let in.
type Claiming struct {
	// Nodes are those that may come in; nil where Guard says who decides
	// instead.
	Nodes *access.Nodes
	// Guard is hub, open or broker.
	Guard string
	// Cut ends the connection of a node, if it has one.
	Cut func(smartmeter.NodeID)
	// Authority is the SHA-256 of the certificate that vouches for the hub.
	Authority [32]byte
	// Fingerprint is the same for people.
	Fingerprint string
	// MQTT and MQTTS are the ports for nodes, 0 for none, and OnNetwork says
	// whether others than this machine reach the one that is not encrypted.
	MQTT, MQTTS int
	OnNetwork   bool
}

// errNotOurs says why there is nobody to accept.
func (c *Claiming) errNotOurs() error {
	switch {
	case c.Nodes != nil:
		return nil
	case c.Guard == "broker":
		return smartmeter.NewError(smartmeter.Conflict, "", "nodes come in at another broker (--broker), which decides by its own settings who may")
	default:
		return smartmeter.NewError(smartmeter.Conflict, "", "this hub is open to whoever is on its machine: every node comes in, and none is accepted")
	}
}

func (a *api) registerNodes(h huma.API, get describeGet, change describeChange) {
	created := change(access.ManageNodes, http.MethodPost, "/api/v1/nodes", "accept-node", "Accept a node, or make what it is to come in with", http.StatusConflict)
	created.DefaultStatus = http.StatusCreated
	huma.Register(h, get(access.ManageNodes, "/api/v1/nodes", "list-nodes", "Nodes that were accepted, and who decides that"), a.listNodes)
	huma.Register(h, created, a.acceptNode)
	huma.Register(h, change(access.ManageNodes, http.MethodDelete, "/api/v1/nodes/{id}", "revoke-node", "Keep a node out from now on, and end its connection", http.StatusConflict), a.revokeNode)
	huma.Register(h, get(access.ManageNodes, "/api/v1/nodes/knocks", "list-knocks", "Nodes that were refused while somebody looked"), a.listKnocks)
	huma.Register(h, change(access.ManageNodes, http.MethodPost, "/api/v1/nodes/window", "open-window", "List the nodes that are refused, for ten minutes", http.StatusConflict), a.openWindow)
}

type nodeRecord struct {
	ID         string     `json:"id"`
	Kind       string     `json:"kind" enum:"paired,login,unprotected"`
	AcceptedAt time.Time  `json:"accepted_at"`
	AcceptedBy string     `json:"accepted_by"`
	RevokedAt  *time.Time `json:"revoked_at" doc:"null while it may come in"`
	RevokedBy  string     `json:"revoked_by,omitempty"`
}

type nodeList struct {
	Guard     string       `json:"guard" enum:"hub,open,broker" doc:"who decides which nodes come in: this hub; nobody, on this machine only; another broker"`
	Authority string       `json:"authority_sha256,omitempty" doc:"fingerprint of the certificate at /ca.pem"`
	MQTTPort  int          `json:"mqtt_port" doc:"for nodes that cannot encrypt; 0 is closed"`
	OnNetwork bool         `json:"mqtt_on_network" doc:"whether others than the hub's machine reach that port"`
	MQTTSPort int          `json:"mqtts_port" doc:"for all others; 0 is closed"`
	Nodes     []nodeRecord `json:"nodes"`
}

func (a *api) listNodes(context.Context, *struct{}) (*body[nodeList], error) {
	c := a.claiming
	list := nodeList{Guard: c.Guard, Authority: c.Fingerprint, MQTTPort: c.MQTT, OnNetwork: c.OnNetwork, MQTTSPort: c.MQTTS, Nodes: []nodeRecord{}}
	if c.Nodes == nil {
		return &body[nodeList]{list}, nil
	}
	for _, r := range c.Nodes.List() {
		shown := nodeRecord{ID: string(r.ID), Kind: string(r.Kind), AcceptedAt: r.AcceptedAt, AcceptedBy: r.AcceptedBy, RevokedBy: r.RevokedBy}
		if !r.RevokedAt.IsZero() {
			shown.RevokedAt = &r.RevokedAt
		}
		list.Nodes = append(list.Nodes, shown)
	}
	return &body[nodeList]{list}, nil
}

type acceptRequest struct {
	// Host is what the browser calls the hub, and so most likely the node, too.
	host string
	Body struct {
		Kind string `json:"kind" enum:"paired,login,unprotected" doc:"by a pairing code; by a user name and a password; by its id alone, not encrypted"`
		ID   string `json:"id,omitempty" maxLength:"64" doc:"its MQTT client id; for a pairing code, that of the only node that may use it"`
	}
}

// Resolve notes the host that was asked.
func (r *acceptRequest) Resolve(ctx huma.Context) []error {
	r.host = hostOf(ctx.Host())
	return nil
}

// acceptedNode is what the node is to come in with. It is shown once.
type acceptedNode struct {
	Kind     string     `json:"kind" enum:"paired,login,unprotected"`
	ID       string     `json:"id,omitempty"`
	Code     string     `json:"code,omitempty" doc:"pairing code, for smartmeter node --pair"`
	QR       *qrPicture `json:"qr,omitempty" doc:"the code as a picture"`
	EndsAt   *time.Time `json:"ends_at,omitempty" doc:"until when the code is good"`
	Command  string     `json:"command,omitempty" doc:"what to start the node with"`
	User     string     `json:"user,omitempty"`
	Password string     `json:"password,omitempty"`
	Tasmota  string     `json:"tasmota,omitempty" doc:"for the console of Tasmota"`
	ESPHome  string     `json:"esphome,omitempty" doc:"for the YAML of ESPHome"`
}

func (a *api) acceptNode(ctx context.Context, in *acceptRequest) (*body[acceptedNode], error) {
	if err := a.claiming.errNotOurs(); err != nil {
		return nil, a.fail(err)
	}
	by, id := whoAsks(ctx), smartmeter.NodeID(in.Body.ID)
	out := acceptedNode{Kind: in.Body.Kind, ID: in.Body.ID}
	var err error
	switch access.NodeKind(in.Body.Kind) {
	case access.Paired:
		err = a.beginPairing(&out, id, by, in.host)
	case access.Login:
		out.User = in.Body.ID
		if out.Password, err = a.claiming.Nodes.MakeLogin(id, by); err == nil {
			out.Tasmota, out.ESPHome = tasmota(out, in.host, a.claiming.MQTTS), esphome(out, in.host, a.claiming.MQTTS, string(a.authority))
		}
	default:
		err = a.claiming.Nodes.Accept(id, by)
	}
	if err != nil {
		return nil, a.fail(err)
	}
	return &body[acceptedNode]{out}, nil
}

func (a *api) beginPairing(out *acceptedNode, id smartmeter.NodeID, by access.Principal, host string) error {
	secret, ends, err := a.claiming.Nodes.BeginPairing(id, by)
	if err != nil {
		return err
	}
	code := smartmeter.PairingCode{Secret: secret, Authority: [11]byte(a.claiming.Authority[:])}
	out.Code, out.EndsAt = code.String(), &ends
	out.Command = pairingCommand(code, id, host, a.claiming.MQTTS)
	out.QR, err = drawQR(out.Code)
	return err
}

type nodePath struct {
	ID string `path:"id" maxLength:"64" doc:"the node's id"`
}

func (a *api) revokeNode(ctx context.Context, in *nodePath) (*struct{}, error) {
	if err := a.claiming.errNotOurs(); err != nil {
		return nil, a.fail(err)
	}
	id := smartmeter.NodeID(in.ID)
	if err := a.claiming.Nodes.Revoke(id, whoAsks(ctx)); err != nil {
		return nil, a.fail(err)
	}
	a.claiming.Cut(id)
	return nil, nil
}

type knock struct {
	ID        string    `json:"id" doc:"the client id as it was sent"`
	From      string    `json:"from" doc:"network address"`
	Encrypted bool      `json:"encrypted"`
	Reason    string    `json:"reason" enum:"bad_id,not_accepted,revoked,wrong_password,needs_encryption,needs_login,bad_code,id_taken"`
	Text      string    `json:"text" doc:"the reason for people"`
	Count     int       `json:"count"`
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
}

type window struct {
	OpenUntil *time.Time `json:"open_until" doc:"null while nobody looks"`
}

type knockList struct {
	window
	Knocks []knock `json:"knocks" doc:"last one first"`
}

func (a *api) listKnocks(context.Context, *struct{}) (*body[knockList], error) {
	list := knockList{Knocks: []knock{}}
	if a.claiming.Nodes == nil {
		return &body[knockList]{list}, nil
	}
	knocks, until := a.claiming.Nodes.Knocks()
	if !until.IsZero() {
		list.OpenUntil = &until
	}
	for _, k := range knocks {
		shown := knock{ID: k.ID, Encrypted: k.Encrypted, Reason: k.Why.Reason, Text: k.Why.Text, Count: k.Count, First: k.First, Last: k.Last}
		if k.From.IsValid() {
			shown.From = k.From.String()
		}
		list.Knocks = append(list.Knocks, shown)
	}
	return &body[knockList]{list}, nil
}

func (a *api) openWindow(context.Context, *struct{}) (*body[window], error) {
	if err := a.claiming.errNotOurs(); err != nil {
		return nil, a.fail(err)
	}
	until := a.claiming.Nodes.OpenWindow()
	return &body[window]{window{&until}}, nil
}
