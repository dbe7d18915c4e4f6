package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// Switch is `smartmeter switch`.
type Switch struct {
	Hub
	Wait    time.Duration `default:"3s" help:"How long to wait for the node's answer, 30s at most."`
	For     time.Duration `help:"How long an ON lasts: its node switches off then, without the hub. Like 30m; 168h at most."`
	Lease   time.Duration `help:"How long an ON outlives the hub, or the network to it. Like 5m; 2m to 24h."`
	NoLease bool          `help:"Do without the lease that a heater has unless told otherwise."`
	Device  string        `arg:"" help:"The device's id, or its name if no other has it."`
	To      string        `arg:"" name:"on|off" enum:"on,off" help:"Where its relay shall stand."`
}

// Help is what --help shows below the flags.
func (*Switch) Help() string {
	return `Asks the device's node to move its relay, and waits until the node has answered.
Nothing is called done before the node has said so.

    $ smartmeter switch fridge on
    Fridge is on (confirmed by the node)
    $ smartmeter switch heater on --for 30m
    Heater is on for 30m (confirmed by the node)

With --for, the node switches off by itself when the time is over. With --lease,
it does when it has not heard from the hub for so long. Both need a node that
announces leases, as ` + "`smartmeter node`" + ` does.

` + exitHelp
}

// Run moves the relay and tells on env.Stdout what became of it.
func (s *Switch) Run(env *Env) error {
	if s.Wait <= 0 {
		return errorf(smartmeter.Invalid, "--wait %v leaves the node no time to answer: give it some, like 3s", s.Wait)
	}
	c, err := s.open(env)
	if err != nil {
		return err
	}
	devices, _, err := c.devices(env.Ctx)
	if err != nil {
		return err
	}
	d, err := find(devices, s.Device)
	if err != nil {
		return err
	}
	body, err := s.request()
	if err != nil {
		return err
	}
	a, err := c.ask(env.Ctx, s.Wait+patience, http.MethodPut, "/api/v1/devices/"+url.PathEscape(d.ID)+"/relay", body)
	return s.report(env, d, a, err)
}

// request is the body of the PUT.
func (s *Switch) request() ([]byte, error) {
	return json.Marshal(struct {
		On    bool   `json:"on"`
		For   string `json:"for,omitempty"`
		Lease string `json:"lease,omitempty"`
		Wait  string `json:"wait"`
	}{s.To == "on", given(s.For), s.lease(), s.Wait.String()})
}

// lease returns the lease as the API takes it.
func (s *Switch) lease() string {
	if s.NoLease {
		return "none"
	}
	return given(s.Lease)
}

// given returns a duration as the API takes it, "" for none.
func given(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// lasts adds how long an ON lasts, if it has an end.
func (s *Switch) lasts() string {
	if s.For == 0 {
		return ""
	}
	text := s.For.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return " for " + text
}

// report tells what became of the request, from the hub's answer and the error
// that stands for its status.
func (s *Switch) report(env *Env, d *device, a answer, err error) error {
	if s.JSON && json.Valid(a.body) {
		err = errors.Join(err, writeDocument(env.Stdout, a.body))
	}
	var now relay
	_ = json.Unmarshal(a.body, &now) // an answer without a relay's state has none
	if err != nil {
		return s.failure(d, now, err)
	}
	name := printable(d.label())
	if now.Command == nil || now.Command.State != string(smartmeter.CommandAcknowledged) || now.State != s.To {
		return errorf(smartmeter.NoAnswer, "the node has not confirmed that %s is %s: look again with `smartmeter devices`", name, s.To)
	}
	if s.JSON {
		return nil
	}
	_, err = fmt.Fprintf(env.Stdout, "%s is %s%s (confirmed by the node%s)\n", name, now.State, s.lasts(), wattsWords(now.Command.Watts))
	return err
}

// failure puts the device into the words of an error.
func (s *Switch) failure(d *device, now relay, err error) error {
	name := printable(d.label())
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("interrupted: %s may switch all the same. Look again with `smartmeter devices`", name)
	}
	if lost, ok := errors.AsType[lostAnswer](err); ok {
		return errorf(smartmeter.NoAnswer, "the hub had the request, and then its answer was lost (%v): %s may have switched or not. Look again with `smartmeter devices`", lost, name)
	}
	code, reason := smartmeter.CodeOf(err), err.Error()
	switch code {
	case smartmeter.Conflict:
		return errorf(code, "%s was not switched %s: %s%s", name, s.To, reason, stands(d, now.State))
	case smartmeter.NoAnswer:
		return errorf(code, "no answer from %s within %v: it may have switched or not. Look again with `smartmeter devices`, or give it longer with --wait", name, s.Wait)
	case smartmeter.Invalid, smartmeter.NotFound, smartmeter.Unavailable:
		return err
	default:
		return fmt.Errorf("%s was not switched %s: %w", name, s.To, err)
	}
}

// stands adds where the relay is, if its node is there to know.
func stands(d *device, state string) string {
	if d.Online && (state == "on" || state == "off") {
		return "; it is " + state
	}
	return ""
}

// wattsWords adds what the meter says about what the node said.
func wattsWords(verdict string) string {
	switch smartmeter.WattsVerdict(verdict) {
	case smartmeter.WattsAgree:
		return ", and the measured power agrees"
	case smartmeter.WattsDisagree:
		return ", but the measured power disagrees"
	case smartmeter.WattsCannotTell:
		return "; the measured power cannot tell"
	default:
		return ""
	}
}
