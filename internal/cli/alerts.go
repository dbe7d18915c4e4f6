package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// Alerts is `smartmeter alerts`: what people should know.
type Alerts struct {
	List        AlertsList        `cmd:"" default:"withargs" help:"What is so now, and what was."`
	Acknowledge AlertsAcknowledge `cmd:"" help:"Say that an alert was seen."`
}

// Help is what --help shows below the commands.
func (*Alerts) Help() string {
	return `An alert is open from when something is noticed until it is over. To acknowledge
it says that somebody has seen it, and changes nothing else.

    $ smartmeter alerts
    RAISED               SEVERITY  DEVICE  KIND          STATE  ID
    2026-11-27 20:14:03  critical  Heater  welded relay  open   2VJ7X4…
        Its relay is off, and its load still draws 812 W: the contact may be …

` + exitHelp
}

type alert struct {
	ID             string     `json:"id"`
	Kind           string     `json:"kind"`
	Severity       string     `json:"severity"`
	Device         string     `json:"device"`
	Text           string     `json:"text"`
	RaisedAt       time.Time  `json:"raised_at"`
	AcknowledgedAt *time.Time `json:"acknowledged_at"`
	AcknowledgedBy string     `json:"acknowledged_by"`
	ClearedAt      *time.Time `json:"cleared_at"`
}

// state is an alert's life in a word or two.
func (a *alert) state() string {
	switch {
	case a.ClearedAt != nil:
		return "over"
	case a.AcknowledgedAt != nil:
		return "seen by " + a.AcknowledgedBy
	default:
		return "open"
	}
}

// String tells of an alert in a line.
func (a *alert) String() string {
	if a.ClearedAt != nil {
		return printable("alert is over: " + a.kind())
	}
	return printable("alert, " + a.Severity + ", " + a.state() + ": " + a.Text)
}

func (a *alert) kind() string { return strings.ReplaceAll(a.Kind, "_", " ") }

// AlertsList is `smartmeter alerts list`.
type AlertsList struct {
	Hub
	All bool `help:"Also those that are over."`
}

// Help is what --help shows below the flags.
func (*AlertsList) Help() string { return exitHelp }

var alertColumns = []column{{head: "RAISED"}, {head: "SEVERITY"}, {head: "DEVICE"}, {head: "KIND"}, {head: "STATE"}, {head: "ID"}}

// Run prints the alerts on env.Stdout, each with what to do about it.
func (l *AlertsList) Run(env *Env) error {
	c, err := l.open(env)
	if err != nil {
		return err
	}
	a, err := c.ask(env.Ctx, patience, http.MethodGet, "/api/v1/alerts", nil)
	switch {
	case err != nil:
		return err
	case l.JSON:
		return writeDocument(env.Stdout, a.body)
	}
	var list struct {
		Alerts []alert `json:"alerts"`
	}
	if json.Unmarshal(a.body, &list) != nil {
		return c.stranger("an answer that is no list of alerts")
	}
	names, err := c.names(env.Ctx)
	if err != nil {
		return err
	}
	return l.write(env, list.Alerts, names)
}

// write writes a table of alerts, and below it what to do about them.
func (l *AlertsList) write(env *Env, alerts []alert, names map[string]string) error {
	var rows [][]string
	var texts []string
	for _, one := range alerts {
		if one.ClearedAt != nil && !l.All {
			continue
		}
		name := cmp.Or(names[one.Device], one.Device)
		rows = append(rows, []string{
			one.RaisedAt.In(env.zone()).Format(time.DateTime), printable(one.Severity), printable(name),
			printable(one.kind()), printable(one.state()), printable(one.ID),
		})
		texts = append(texts, printable(name)+": "+printable(one.Text))
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(env.Stdout, "Nothing is wrong that the hub knows of.")
		return err
	}
	if err := writeTable(env.Stdout, alertColumns, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(env.Stdout, "\n%s\n", strings.Join(texts, "\n"))
	return err
}

// names returns what devices are called, by id.
func (c *client) names(ctx context.Context) (map[string]string, error) {
	devices, _, err := c.devices(ctx)
	names := make(map[string]string)
	for i := range devices {
		names[devices[i].ID] = devices[i].label()
	}
	return names, err
}

// AlertsAcknowledge is `smartmeter alerts acknowledge`.
type AlertsAcknowledge struct {
	Hub
	ID string `arg:"" help:"The alert's id, as smartmeter alerts shows it."`
}

// Help is what --help shows below the flags.
func (*AlertsAcknowledge) Help() string { return exitHelp }

// Run acknowledges an alert and says so on env.Stdout.
func (k *AlertsAcknowledge) Run(env *Env) error {
	c, err := k.open(env)
	if err != nil {
		return err
	}
	a, err := c.ask(env.Ctx, patience, http.MethodPost, "/api/v1/alerts/"+url.PathEscape(k.ID)+"/acknowledge", nil)
	switch {
	case smartmeter.CodeOf(err) == smartmeter.NotFound:
		return errorf(smartmeter.NotFound, "there is no open alert %s: list them with `smartmeter alerts`", printable(k.ID))
	case err != nil:
		return err
	case k.JSON:
		return writeDocument(env.Stdout, a.body)
	}
	_, err = fmt.Fprintln(env.Stdout, "Acknowledged. The alert stays until what raised it is over.")
	return err
}
