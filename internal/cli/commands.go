package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// Commands is `smartmeter commands`.
type Commands struct {
	Hub
	Limit  int    `default:"20" help:"How many, ${default} unless told; 1000 at most."`
	Device string `arg:"" help:"The device's id, or its name if no other has it."`
}

// Help is what --help shows below the flags.
func (*Commands) Help() string {
	return `What moved a relay, or was to, the newest first: who asked, or what the node did
by itself, what became of it, and what the measured power says to that.

    $ smartmeter commands heater
    AT                   TO   BY                        BECAME        WATTS   WHY
    2026-11-27 20:14:03  off  the node's protection     acknowledged  agrees  cut off 17.3 A
    2026-11-27 18:00:12  on   another client, by phone  acknowledged  agrees  -

` + exitHelp
}

var commandColumns = []column{{head: "AT"}, {head: "TO"}, {head: "BY"}, {head: "BECAME"}, {head: "WATTS"}, {head: "WHY"}}

// Run prints a relay's history on env.Stdout.
func (c *Commands) Run(env *Env) error {
	hub, d, err := c.device(env, c.Device)
	if err != nil {
		return err
	}
	query := url.Values{"limit": {fmt.Sprint(c.Limit)}}
	a, err := hub.ask(env.Ctx, patience, http.MethodGet, "/api/v1/devices/"+url.PathEscape(d.ID)+"/commands?"+query.Encode(), nil)
	switch {
	case err != nil:
		return err
	case c.JSON:
		return writeDocument(env.Stdout, a.body)
	}
	var list struct {
		Commands []command `json:"commands"`
	}
	if json.Unmarshal(a.body, &list) != nil {
		return hub.stranger("an answer that is no list of commands")
	}
	if len(list.Commands) == 0 {
		_, err := fmt.Fprintf(env.Stdout, "Nothing has moved the relay of %s yet.\n", printable(d.label()))
		return err
	}
	rows := make([][]string, len(list.Commands))
	for i, one := range list.Commands {
		rows[i] = []string{
			one.AskedAt.In(env.zone()).Format(time.DateTime),
			printable(one.Set),
			printable(causeWords(one.Cause)),
			printable(one.State),
			cmp.Or(printable(strings.ReplaceAll(one.Watts, "_", " ")), absent),
			cmp.Or(printable(one.Reason), absent),
		}
	}
	return writeTable(env.Stdout, commandColumns, rows)
}

// causeWords says for people what moved a relay.
func causeWords(cause string) string {
	word, details, _ := strings.Cut(cause, ",")
	said := map[smartmeter.Cause]string{
		smartmeter.CauseExternal:   "another client",
		smartmeter.CauseProtection: "the node's protection",
		smartmeter.CauseLease:      "the end of its time",
		smartmeter.CauseMaxOn:      "the node: longest time on",
		smartmeter.CauseButton:     "the button on the node",
		smartmeter.CausePowerUp:    "the node: power is back",
		smartmeter.CauseNode:       "the node, or by hand",
	}[smartmeter.Cause(word)]
	if said == "" {
		return cause
	}
	if details != "" {
		said += "," + details
	}
	return said
}
