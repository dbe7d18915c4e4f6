package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/iot-smart-meter/smartmeter"
)

// Protect is `smartmeter protect`.
type Protect struct {
	Hub
	Kind        string `enum:",generic,must_stay_on,heater,compressor,lighting" default:"" placeholder:"KIND" help:"What hangs on the relay: generic, must_stay_on, heater, compressor or lighting. The rest follows from it unless told."`
	MaxCurrent  string `placeholder:"A" help:"Cut off beyond so many amperes; 0 for never."`
	MaxPower    string `placeholder:"W" help:"Cut off beyond so many watts; 0 for never."`
	HoldMs      string `placeholder:"MS" help:"For how long a limit may be exceeded, in milliseconds."`
	PowerUp     string `placeholder:"WHERE" help:"Where the relay goes after a power cut: off, on or last."`
	Fallback    string `placeholder:"WHERE" help:"Where it goes when a lease runs out: off or on."`
	MinOnS      string `placeholder:"S" help:"Stay on for so many seconds at least."`
	MinOffS     string `placeholder:"S" help:"Rest for so many seconds before going on again."`
	MaxOnS      string `placeholder:"S" help:"Go off after so many seconds."`
	MaxSwitches string `placeholder:"N" help:"Move the relay at most so often in a minute."`
	MetricsMs   string `placeholder:"MS" help:"Measure every so many milliseconds."`
	Reset       bool   `help:"Have a node that cut off obey commands again. Its relay stays off."`
	Device      string `arg:"" help:"The device's id, or its name if no other has it."`
}

// Help is what --help shows below the flags.
func (*Protect) Help() string {
	return `What a device's node does by itself, without hub or network; and how to change
that. A flag with "default" goes back to what is safe for the kind of load.

    $ smartmeter protect heater --kind heater --max-current 16
    Heater, heater: the node has this in force.
      Beyond 16.0 A for 0.5 s it cuts off, and stays off until somebody resets it.
      After a power cut it stays off.

` + exitHelp
}

// protected is a device with its protection.
type protected struct {
	device
	Kind       string                     `json:"kind"`
	Settings   map[string]json.RawMessage `json:"settings"`
	Configured struct {
		State  string `json:"state"`
		Field  string `json:"field"`
		Reason string `json:"reason"`
	} `json:"configured"`
	Protection []string `json:"protection"`
}

// Run changes what was asked for, and prints what the node does on env.Stdout.
func (p *Protect) Run(env *Env) error {
	c, d, err := p.device(env, p.Device)
	if err != nil {
		return err
	}
	path := "/api/v1/devices/" + url.PathEscape(d.ID)
	if p.Reset {
		if _, err := c.ask(env.Ctx, patience, http.MethodPost, path+"/protection/reset", []byte(`{}`)); err != nil {
			return err
		}
	}
	a, err := c.ask(env.Ctx, patience, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	now, err := c.protected(a)
	if err != nil {
		return err
	}
	change, err := p.change(now.Settings)
	if err != nil {
		return err
	}
	if change != nil {
		if a, err = c.ask(env.Ctx, patience, http.MethodPatch, path, change); err != nil {
			return err
		}
		if now, err = c.protected(a); err != nil {
			return err
		}
	}
	if p.JSON {
		return writeDocument(env.Stdout, a.body)
	}
	return now.write(env)
}

func (c *client) protected(a answer) (p protected, err error) {
	if json.Unmarshal(a.body, &p) != nil || p.ID == "" {
		return p, c.stranger("an answer that is no device")
	}
	return p, nil
}

// change is the body of the PATCH, nil if nothing was asked for. What was chosen
// before and is not mentioned stays chosen.
func (p *Protect) change(chosen map[string]json.RawMessage) ([]byte, error) {
	body := make(map[string]any)
	if p.Kind != "" {
		body["kind"] = p.Kind
	}
	var errs []error
	for name, word := range map[string]string{
		"max_current": p.MaxCurrent, "max_power": p.MaxPower, "hold_ms": p.HoldMs, "power_up": p.PowerUp, "fallback": p.Fallback,
		"min_on_s": p.MinOnS, "min_off_s": p.MinOffS, "max_on_s": p.MaxOnS, "max_switches_per_min": p.MaxSwitches, "metrics_ms": p.MetricsMs,
	} {
		if word == "" {
			continue
		}
		if chosen == nil {
			chosen = make(map[string]json.RawMessage)
		}
		body["settings"] = chosen
		switch number, err := strconv.ParseFloat(word, 64); {
		case word == "default":
			delete(chosen, name)
		case name == "power_up" || name == "fallback":
			chosen[name] = json.RawMessage(strconv.Quote(word))
		case err != nil || number < 0 || number > 1e9: // NaN is caught by Marshal
			errs = append(errs, errorf(smartmeter.Invalid, "%s: %q is no number of that kind, nor \"default\"", name, word))
		default:
			chosen[name] = strconv.AppendFloat(nil, number, 'f', -1, 64)
		}
	}
	if len(errs) > 0 || len(body) == 0 {
		return nil, errors.Join(errs...)
	}
	return json.Marshal(body)
}

// write tells what the node does by itself.
func (p *protected) write(env *Env) error {
	state := map[string]string{
		"none":     "the hub leaves the node as it is.",
		"waiting":  "the node is not there yet to be told.",
		"sent":     "the node was told, and has not answered yet. Look again in a moment.",
		"in_force": "the node has this in force.",
		"told":     "the node was told; it never says what it made of it.",
		"refused":  "the node refused " + p.Configured.Field + ": " + p.Configured.Reason + ".",
	}[p.Configured.State]
	if _, err := fmt.Fprintln(env.Stdout, printable(p.label()+", "+p.Kind+": "+state)); err != nil {
		return err
	}
	for _, sentence := range p.Protection {
		if _, err := fmt.Fprintln(env.Stdout, "  "+printable(sentence)); err != nil {
			return err
		}
	}
	return nil
}
