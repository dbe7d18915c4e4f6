package api

import (
	"context"
	"math"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
)

// nodeSettings is how a device's node is to be configured, in people's units. Null
// and absent is what nobody chose.
type nodeSettings struct {
	PowerUp     *string  `json:"power_up,omitempty" enum:"off,on,last" doc:"where the relay goes when the power returns"`
	Fallback    *string  `json:"fallback,omitempty" enum:"off,on" doc:"where a lease that runs out leads"`
	MinOn       *int64   `json:"min_on_s,omitempty" doc:"s; 0 is no limit, here and below"`
	MinOff      *int64   `json:"min_off_s,omitempty" doc:"s; the rest that a compressor needs"`
	MaxOn       *int64   `json:"max_on_s,omitempty" doc:"s; then the node switches off by itself"`
	MaxSwitches *int32   `json:"max_switches_per_min,omitempty"`
	MaxCurrent  *float64 `json:"max_current,omitempty" doc:"A; beyond it the node cuts off by itself"`
	MaxPower    *float64 `json:"max_power,omitempty" doc:"W; beyond it the node cuts off by itself"`
	Hold        *int64   `json:"hold_ms,omitempty" doc:"ms; for how long a limit may be exceeded"`
	Metrics     *int64   `json:"metrics_ms,omitempty" doc:"ms between two samples; null: the node decides, here and below"`
	Energy      *int64   `json:"energy_ms,omitempty"`
	Heartbeat   *int64   `json:"heartbeat_ms,omitempty"`
}

// configured says what became of the settings.
type configured struct {
	State  string `json:"state" enum:"none,waiting,sent,in_force,refused,told" doc:"none: the hub leaves the node as it is; told: to a node that does not say what it made of it"`
	Field  string `json:"field" doc:"what the node refused; empty otherwise"`
	Reason string `json:"reason" doc:"why, in the node's words"`
}

// parse turns settings into the meter's units. What they may be, the hub knows.
func (s *nodeSettings) parse() *smartmeter.Settings {
	if s == nil {
		return nil
	}
	parsed := &smartmeter.Settings{
		MinOn: scaled[smartmeter.Millis](s.MinOn, 1000), MinOff: scaled[smartmeter.Millis](s.MinOff, 1000), MaxOn: scaled[smartmeter.Millis](s.MaxOn, 1000),
		MaxSwitches: s.MaxSwitches,
		Current:     scaled[smartmeter.Milliamp](s.MaxCurrent, 1000), Power: scaled[smartmeter.Deciwatt](s.MaxPower, 10),
		Hold:    scaled[smartmeter.Millis](s.Hold, 1),
		Metrics: scaled[smartmeter.Millis](s.Metrics, 1), Energy: scaled[smartmeter.Millis](s.Energy, 1), Heartbeat: scaled[smartmeter.Millis](s.Heartbeat, 1),
	}
	if s.PowerUp != nil {
		parsed.PowerUp = smartmeter.Position(*s.PowerUp)
	}
	if s.Fallback != nil {
		parsed.Fallback = smartmeter.Position(*s.Fallback)
	}
	return parsed
}

// scaled returns v in steps of which a unit has scale, nil for nil. What no step
// can count becomes one that the hub refuses.
func scaled[To ~int32 | ~int64, From int64 | float64](v *From, scale float64) *To {
	if v == nil {
		return nil
	}
	exact := float64(*v) * scale
	whole := math.Round(exact)
	if whole == 0 && exact != 0 { // 0 would be no limit
		whole = math.Copysign(1, exact)
	}
	steps := To(max(-1, min(whole, math.MaxInt32)))
	return &steps
}

func showChosen(s smartmeter.Settings) *nodeSettings {
	shown := &nodeSettings{
		MinOn: unscaled[int64](s.MinOn, 1000), MinOff: unscaled[int64](s.MinOff, 1000), MaxOn: unscaled[int64](s.MaxOn, 1000),
		MaxSwitches: s.MaxSwitches,
		MaxCurrent:  unscaled[float64](s.Current, 1000), MaxPower: unscaled[float64](s.Power, 10),
		Hold:    unscaled[int64](s.Hold, 1),
		Metrics: unscaled[int64](s.Metrics, 1), Energy: unscaled[int64](s.Energy, 1), Heartbeat: unscaled[int64](s.Heartbeat, 1),
	}
	if s.PowerUp != "" {
		shown.PowerUp = (*string)(&s.PowerUp)
	}
	if s.Fallback != "" {
		shown.Fallback = (*string)(&s.Fallback)
	}
	return shown
}

func unscaled[To int64 | float64, From ~int32 | ~int64](steps *From, scale float64) *To {
	if steps == nil {
		return nil
	}
	v := To(float64(*steps) / scale)
	return &v
}

type resetRequest struct {
	DevicePath
	Body struct {
		Wait string `json:"wait,omitempty" default:"3s" doc:"how long to wait for the node's word, at most 30s" example:"3s"`
	}
}

type resetReply struct {
	State string `json:"state" enum:"reset"`
}

func (a *api) resetProtection(ctx context.Context, in *resetRequest) (*body[resetReply], error) {
	wait, err := time.ParseDuration(in.Body.Wait)
	if err != nil || wait < 0 || wait > maxWait {
		return nil, a.fail(errWait)
	}
	if err := a.hub.ResetProtection(ctx, smartmeter.DeviceID(in.ID), wait); err != nil {
		return nil, a.fail(err)
	}
	return &body[resetReply]{resetReply{State: "reset"}}, nil
}

var errWait = smartmeter.NewError(smartmeter.Invalid, "body.wait", "must be a duration from 0s to 30s, like 3s")

// effective is what the hub asks of a node, all told.
func effective(d smartmeter.Device) *nodeSettings { return showChosen(hub.EffectiveSettings(d)) }
