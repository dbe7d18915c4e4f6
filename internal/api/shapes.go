package api

import (
	"math"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
)

// The JSON shapes of the API. Scripts rely on them: fields are added, never
// renamed.

type device struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Room        string            `json:"room"`
	Kind        string            `json:"kind" enum:"generic,must_stay_on,heater,compressor,lighting"`
	Node        string            `json:"node" doc:"MQTT client id of the node it is bound to"`
	Channel     uint8             `json:"channel"`
	Parent      string            `json:"parent" doc:"id of the device that measures this one, too; empty for none"`
	Online      bool              `json:"online"`
	LastSeen    *time.Time        `json:"last_seen" doc:"last live message of the node since the hub started"`
	MeterSilent bool              `json:"meter_silent" doc:"the node lives but its meter does not answer: most likely no mains"`
	Latest      *latest           `json:"latest"`
	Relay       relay             `json:"relay"`
	IntervalMS  int64             `json:"interval_ms" doc:"between the last two readings; 0 if not known yet"`
	Refused     map[string]uint64 `json:"refused" doc:"payloads of the node that could not be understood, by reason"`
	Protocol    uint8             `json:"protocol" doc:"what the node speaks: 1 ours, 0 the fielded forms"`
	Caps        []string          `json:"caps" doc:"what the node announced it can do: lease, limits, backlog, relay"`
	Settings    *nodeSettings     `json:"settings" doc:"what people chose for the node"`
	Effective   *nodeSettings     `json:"effective" doc:"that, and for the rest what is safe for the kind of load"`
	Configured  configured        `json:"configured"`
	Protection  []string          `json:"protection" doc:"what the node does by itself, in plain words"`
}

type latest struct {
	At          time.Time `json:"at"`
	Voltage     *float64  `json:"voltage,omitempty" doc:"V"`
	Current     *float64  `json:"current,omitempty" doc:"A"`
	Power       *float64  `json:"power,omitempty" doc:"W"`
	Frequency   *float64  `json:"frequency,omitempty" doc:"Hz"`
	PowerFactor *float64  `json:"pf,omitempty"`
	EnergyWh    *int64    `json:"energy_wh,omitempty" doc:"the meter's own register"`
}

type relay struct {
	State   string     `json:"state" enum:"on,off,unknown,none" doc:"none: the device has no relay"`
	Command *command   `json:"command" doc:"what moved it last, or was to"`
	LeaseS  int64      `json:"lease_s" doc:"the node ends the present ON when it has not heard from the hub for so long; 0: never"`
	OffAt   *time.Time `json:"off_at" doc:"when the node ends the present ON in any case"`
}

type command struct {
	ID      string    `json:"id"`
	Device  string    `json:"device"`
	Set     string    `json:"set" enum:"on,off"`
	Cause   string    `json:"cause" doc:"api, or who moved it without asking the hub: external, protection, lease, max_on, button, power_up, node; details follow a comma"`
	AskedAt time.Time `json:"asked_at"`
	State   string    `json:"state" enum:"requested,sent,acknowledged,rejected,expired,unknown,failed"`
	Watts   string    `json:"watts" enum:"agrees,disagrees,cannot_tell," doc:"whether the measured power agrees with what the node said; empty while nothing was measured"`
	Reason  string    `json:"reason"`
}

func showDevice(s smartmeter.DeviceStatus) device {
	d := device{
		ID:          string(s.ID),
		Name:        s.Name,
		Room:        s.Room,
		Kind:        string(s.Kind),
		Node:        string(s.Node),
		Channel:     s.Channel,
		Parent:      string(s.Parent),
		Online:      s.Online,
		MeterSilent: s.MeterSilent,
		Latest:      showLatest(s.Latest),
		Relay:       showRelay(s.Relay),
		IntervalMS:  int64(s.Interval),
		Refused:     s.Refused,
		LastSeen:    instantOrNone(s.LastSeen),
		Protocol:    s.Protocol,
		Caps:        s.Caps,
		Settings:    showChosen(s.Settings),
		Effective:   effective(s.Device),
		Configured:  configured{string(s.Configured.State), s.Configured.Field, s.Configured.Reason},
	}
	if d.Protection = hub.Protection(s); d.Protection == nil {
		d.Protection = []string{}
	}
	if d.Caps == nil {
		d.Caps = []string{}
	}
	if d.Refused == nil {
		d.Refused = map[string]uint64{}
	}
	return d
}

func showLatest(r *smartmeter.Reading) *latest {
	if r == nil {
		return nil
	}
	l := &latest{At: r.At.Time()}
	for _, q := range quantities {
		if field := q.field(l); field != nil && r.Has.Has(q.bit) {
			v := q.value(r)
			*field = &v
		}
	}
	if r.Has.Has(smartmeter.Energy) {
		wh := int64(r.Energy)
		l.EnergyWh = &wh
	}
	return l
}

func showRelay(r smartmeter.Relay) relay {
	return relay{State: r.State.String(), Command: showCommand(r.Command), LeaseS: int64(r.Lease / 1000), OffAt: instantOrNone(r.OffAt)}
}

func showCommand(c *smartmeter.Command) *command {
	if c == nil {
		return nil
	}
	return &command{
		ID:      c.ID,
		Device:  string(c.Device),
		Set:     smartmeter.RelayStateOf(c.On).String(),
		Cause:   string(c.Cause),
		AskedAt: c.AskedAt.Time(),
		State:   string(c.State),
		Watts:   string(c.Watts),
		Reason:  c.Reason,
	}
}

// quantity is how one measured quantity leaves the system: its name in JSON and
// in metrics, and its value in the unit that people use. This is the only place where the
// meter's integers become decimals; dividing by a power of ten gives the float
// nearest to the decimal, which prints as that decimal.
type quantity struct {
	name   string
	metric string // "" where metrics show it in another unit
	bit    smartmeter.Quantities
	scale  float64 // meter's steps in a unit
	raw    func(*smartmeter.Reading) int64
	field  func(*latest) **float64 // nil where it is shown as an integer
}

// value returns the quantity in people's unit.
func (q *quantity) value(r *smartmeter.Reading) float64 { return float64(q.raw(r)) / q.scale }

var quantities = []quantity{
	{"voltage", "voltage_volts", smartmeter.Voltage, 10, func(r *smartmeter.Reading) int64 { return int64(r.Voltage) }, func(l *latest) **float64 { return &l.Voltage }},
	{"current", "current_amperes", smartmeter.Current, 1000, func(r *smartmeter.Reading) int64 { return int64(r.Current) }, func(l *latest) **float64 { return &l.Current }},
	{"power", "power_watts", smartmeter.Power, 10, func(r *smartmeter.Reading) int64 { return int64(r.Power) }, func(l *latest) **float64 { return &l.Power }},
	{"frequency", "frequency_hertz", smartmeter.Frequency, 10, func(r *smartmeter.Reading) int64 { return int64(r.Frequency) }, func(l *latest) **float64 { return &l.Frequency }},
	{"pf", "power_factor", smartmeter.PowerFactor, 100, func(r *smartmeter.Reading) int64 { return int64(r.PowerFactor) }, func(l *latest) **float64 { return &l.PowerFactor }},
	{"energy_wh", "", smartmeter.Energy, 1, func(r *smartmeter.Reading) int64 { return int64(r.Energy) }, func(*latest) **float64 { return nil }},
}

// column is one quantity over many readings; NaN is absent and becomes null.
type column []float64

// MarshalJSON writes the shortest decimals.
func (c column) MarshalJSON() ([]byte, error) {
	out := make([]byte, 0, 2+6*len(c))
	out = append(out, '[')
	for i, v := range c {
		if i > 0 {
			out = append(out, ',')
		}
		if math.IsNaN(v) {
			out = append(out, "null"...)
		} else {
			out = strconv.AppendFloat(out, v, 'f', -1, 64)
		}
	}
	return append(out, ']'), nil
}

// Schema describes a column in the OpenAPI document.
func (column) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeNumber, Nullable: true}}
}
