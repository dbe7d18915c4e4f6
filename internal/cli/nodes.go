package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Nodes is `smartmeter nodes`: which nodes may come in.
type Nodes struct {
	List   NodesList   `cmd:"" default:"withargs" help:"Nodes that were accepted."`
	Knocks NodesKnocks `cmd:"" help:"List nodes that are refused, and why, from now on for ten minutes."`
	Accept NodesAccept `cmd:"" help:"Let a node in that can do no login, by its id alone."`
	Pair   NodesPair   `cmd:"" help:"Make a pairing code, for \"smartmeter node --pair\"."`
	Login  NodesLogin  `cmd:"" help:"Make a user name and a password, with settings for Tasmota and ESPHome."`
	Revoke NodesRevoke `cmd:"" help:"Keep a node out from now on."`
}

// Help is what --help shows below the commands.
func (*Nodes) Help() string {
	return `A hub lets nodes in that a person has accepted, and keeps each to its own topics.
A node that comes without a login can be imitated by whoever is on the network.

    $ smartmeter nodes pair
    Give the node this code within ten minutes:

        4N7QD-…

` + exitHelp
}

type nodeList struct {
	Guard     string `json:"guard"`
	Authority string `json:"authority_sha256"`
	Nodes     []struct {
		ID         string     `json:"id"`
		Kind       string     `json:"kind"`
		AcceptedAt time.Time  `json:"accepted_at"`
		AcceptedBy string     `json:"accepted_by"`
		RevokedAt  *time.Time `json:"revoked_at"`
		RevokedBy  string     `json:"revoked_by"`
	} `json:"nodes"`
}

// NodesList is `smartmeter nodes list`.
type NodesList struct{ Hub }

// Help is what --help shows below the flags.
func (*NodesList) Help() string { return exitHelp }

// Run prints the nodes on env.Stdout.
func (l *NodesList) Run(env *Env) error {
	var list nodeList
	if shown, err := l.get(env, http.MethodGet, "/api/v1/nodes", nil, &list); err != nil || shown {
		return err
	}
	switch {
	case list.Guard == "open":
		fmt.Fprintln(env.Stdout, "This hub is open: every node on its machine comes in, and none is accepted.")
	case list.Guard == "broker":
		fmt.Fprintln(env.Stdout, "Nodes come in at another broker, which decides which may.")
	case len(list.Nodes) == 0:
		fmt.Fprintln(env.Stdout, "No node was accepted yet. `smartmeter nodes pair` makes a code for the first one; `smartmeter nodes knocks` shows which ones try.")
	}
	if len(list.Nodes) == 0 {
		return nil
	}
	rows := make([][]string, len(list.Nodes))
	for i, n := range list.Nodes {
		state := "since " + n.AcceptedAt.In(env.zone()).Format(time.DateOnly) + ", by " + printable(n.AcceptedBy)
		if n.RevokedAt != nil {
			state = "revoked " + n.RevokedAt.In(env.zone()).Format(time.DateOnly) + ", by " + printable(n.RevokedBy)
		}
		rows[i] = []string{printable(n.ID), printable(n.Kind), state}
	}
	return writeTable(env.Stdout, []column{{head: "ID"}, {head: "LOGIN"}, {head: "MAY COME IN"}}, rows)
}

// get asks, and decodes the answer into out, unless the person wants the
// document itself, which it shows then.
func (h *Hub) get(env *Env, method, path string, body, out any) (shown bool, err error) {
	c, err := h.open(env)
	if err != nil {
		return false, err
	}
	var text []byte
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			return false, err
		}
	}
	a, err := c.ask(env.Ctx, patience, method, path, text)
	switch {
	case err != nil:
		return false, err
	case h.JSON && len(a.body) > 0:
		return true, writeDocument(env.Stdout, a.body)
	case out != nil && json.Unmarshal(a.body, out) != nil:
		return false, c.stranger("an answer that tells no nodes")
	}
	return false, nil
}

// NodesKnocks is `smartmeter nodes knocks`.
type NodesKnocks struct{ Hub }

// Help is what --help shows below the flags.
func (*NodesKnocks) Help() string { return exitHelp }

// Run has the hub list knocks, and prints those there are on env.Stdout.
func (k *NodesKnocks) Run(env *Env) error {
	var list struct {
		Knocks []struct {
			ID        string    `json:"id"`
			From      string    `json:"from"`
			Encrypted bool      `json:"encrypted"`
			Text      string    `json:"text"`
			Count     int       `json:"count"`
			Last      time.Time `json:"last"`
		} `json:"knocks"`
	}
	quiet := Hub{URL: k.URL, CA: k.CA}
	if _, err := quiet.get(env, http.MethodPost, "/api/v1/nodes/window", nil, nil); err != nil {
		return err
	}
	if shown, err := k.get(env, http.MethodGet, "/api/v1/nodes/knocks", nil, &list); err != nil || shown {
		return err
	}
	if len(list.Knocks) == 0 {
		_, err := fmt.Fprintln(env.Stdout, "Nobody has knocked since somebody began to look. Ask again in a moment.")
		return err
	}
	rows := make([][]string, len(list.Knocks))
	for i, k := range list.Knocks {
		way := "plain"
		if k.Encrypted {
			way = "encrypted"
		}
		rows[i] = []string{printable(k.ID), printable(k.From), way, k.Last.In(env.zone()).Format(time.TimeOnly), fmt.Sprint(k.Count), printable(k.Text)}
	}
	return writeTable(env.Stdout, []column{{head: "ID"}, {head: "FROM"}, {head: "HOW"}, {head: "LAST"}, {head: "TIMES", right: true}, {head: "WHY REFUSED"}}, rows)
}

// accepted is what a node is to come in with.
type accepted struct {
	Kind     string    `json:"kind"`
	ID       string    `json:"id,omitempty"`
	Code     string    `json:"code,omitempty"`
	EndsAt   time.Time `json:"ends_at,omitzero"`
	Command  string    `json:"command,omitempty"`
	User     string    `json:"user,omitempty"`
	Password string    `json:"password,omitempty"`
	Tasmota  string    `json:"tasmota,omitempty"`
	ESPHome  string    `json:"esphome,omitempty"`
}

// accept has the hub accept a node, and lets say print what comes of it.
func (h *Hub) accept(env *Env, kind, id string, say func(io.Writer, accepted) error) error {
	var got accepted
	if shown, err := h.get(env, http.MethodPost, "/api/v1/nodes", accepted{Kind: kind, ID: id}, &got); err != nil || shown {
		return err
	}
	return say(env.Stdout, got)
}

// NodesAccept is `smartmeter nodes accept`.
type NodesAccept struct {
	ID string `arg:"" help:"The node's MQTT client id, as \"smartmeter nodes knocks\" shows it."`
	Hub
}

// Help is what --help shows below the flags.
func (*NodesAccept) Help() string {
	return "Whoever on the network comes with this id is taken for the node. Prefer pair or\nlogin where the node can do either.\n\n" + exitHelp
}

// Run accepts the node.
func (a *NodesAccept) Run(env *Env) error {
	return a.accept(env, "unprotected", a.ID, func(w io.Writer, n accepted) error {
		_, err := fmt.Fprintf(w, "%s may come in, unencrypted and without a login.\n", printable(n.ID))
		return err
	})
}

// NodesPair is `smartmeter nodes pair`.
type NodesPair struct {
	ID string `name:"id" placeholder:"ID" help:"The only node that may use the code; any new one unless told. Replaces the node of this id if that has no login."`
	Hub
}

// Help is what --help shows below the flags.
func (*NodesPair) Help() string { return exitHelp }

// Run makes a code.
func (p *NodesPair) Run(env *Env) error {
	return p.accept(env, "paired", p.ID, func(w io.Writer, n accepted) error {
		_, err := fmt.Fprintf(w, "Give the node this code within ten minutes:\n\n    %s\n\nOn a computer with the meter at its serial line:\n\n    %s\n", printable(n.Code), printable(n.Command))
		return err
	})
}

// NodesLogin is `smartmeter nodes login`.
type NodesLogin struct {
	ID string `arg:"" help:"The node's id: its user name and its MQTT client id."`
	Hub
}

// Help is what --help shows below the flags.
func (*NodesLogin) Help() string { return exitHelp }

// Run makes a password, and shows it once.
func (l *NodesLogin) Run(env *Env) error {
	return l.accept(env, "login", l.ID, func(w io.Writer, n accepted) error {
		_, err := fmt.Fprintf(w, "user      %s\npassword  %s\n\nThe password is not shown again. In the console of Tasmota:\n\n%s\n\nFor ESPHome:\n\n%s", printable(n.User), printable(n.Password), printable(n.Tasmota), printableLines(n.ESPHome))
		return err
	})
}

// NodesRevoke is `smartmeter nodes revoke`.
type NodesRevoke struct {
	ID string `arg:"" help:"The node's id."`
	Hub
}

// Help is what --help shows below the flags.
func (*NodesRevoke) Help() string {
	return "It is cut off at once. What it measured stays.\n\n" + exitHelp
}

// Run revokes the node.
func (r *NodesRevoke) Run(env *Env) error {
	if _, err := r.get(env, http.MethodDelete, "/api/v1/nodes/"+url.PathEscape(r.ID), nil, nil); err != nil {
		return err
	}
	_, err := fmt.Fprintf(env.Stdout, "%s may not come in any more.\n", printable(r.ID))
	return err
}

// printableLines is printable for a text of several lines.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n")
}
