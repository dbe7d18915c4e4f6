package cli

import (
	"strconv"
	"time"
)

// The API's objects, as far as the words for people need them. Whatever else
// they hold still reaches --json, which passes the hub's bytes on.
type (
	device struct {
		ID          string     `json:"id"`
		Name        string     `json:"name"`
		Room        string     `json:"room"`
		Online      bool       `json:"online"`
		LastSeen    *time.Time `json:"last_seen"`
		MeterSilent bool       `json:"meter_silent"`
		Latest      *reading   `json:"latest"`
		Relay       relay      `json:"relay"`
	}

	// reading is in V, A, W and Wh; nil is "not measured", which is not zero.
	reading struct {
		At       time.Time `json:"at"`
		Voltage  *float64  `json:"voltage"`
		Current  *float64  `json:"current"`
		Power    *float64  `json:"power"`
		EnergyWh *int64    `json:"energy_wh"`
	}

	// relay is also what a PUT of a relay answers.
	relay struct {
		State   string   `json:"state"`
		Command *command `json:"command"`
	}

	command struct {
		Set     string    `json:"set"`
		Cause   string    `json:"cause"`
		AskedAt time.Time `json:"asked_at"`
		State   string    `json:"state"`
		Watts   string    `json:"watts"`
		Reason  string    `json:"reason"`
	}
)

// label is what people call the device.
func (d *device) label() string {
	if d.Name == "" {
		return d.ID
	}
	return d.Name
}

// state is the device's life in one word or two.
func (d *device) state() string {
	switch {
	case !d.Online:
		return "offline"
	case d.MeterSilent:
		return "meter silent"
	default:
		return "online"
	}
}

// absent stands for what was not measured, or not lately.
const absent = "-"

// fixed writes v with the decimals of the meter's own resolution.
func fixed(v *float64, decimals int) string {
	if v == nil {
		return absent
	}
	return strconv.FormatFloat(*v, 'f', decimals, 64)
}

// kilowattHours writes a register of Wh as kWh, exactly.
func kilowattHours(wh *int64) string {
	if wh == nil {
		return absent
	}
	return strconv.FormatFloat(float64(*wh)/1000, 'f', 3, 64)
}
