package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/iot-smart-meter/smartmeter"
)

// The names of the events that say something about the stream itself.
const (
	eventHello = "hello"
	eventReset = "reset" // the hub no longer knows the id we resumed from
)

// news is what an event says about one device.
type news struct {
	device string // its id
	at     time.Time
	text   string // "" for an event that says nothing a person would read
}

// show writes one line for e if it is about a device that is watched.
func (f *follower) show(e event) error {
	switch e.name {
	case eventHello:
		return nil
	case eventReset:
		f.notice("the hub does not remember where we left off: events may be missing")
		_, err := f.learn()
		return err
	}
	n, err := f.read(e)
	if err != nil {
		f.notice("cannot read an event %s of the hub: %v", strconv.Quote(e.name), err)
		return nil
	}
	if n.text == "" || f.wanted != nil && !f.wanted[n.device] {
		return nil
	}
	if err := f.write(e, n); err != nil {
		return err
	}
	if f.left--; !f.endless && f.left <= 0 {
		return errEnough
	}
	return nil
}

// read finds out what e says, and to which device it happened.
func (f *follower) read(e event) (news, error) {
	if e.name == string(smartmeter.EventDevice) {
		var d device
		err := json.Unmarshal(e.data, &d)
		if err == nil {
			f.names[d.ID] = d.label()
		}
		return news{d.ID, time.Now(), d.state()}, err
	}
	var data struct {
		Device  string   `json:"device"`
		Latest  *reading `json:"latest"`
		Relay   *relay   `json:"relay"`
		Command *command `json:"command"`
		Alert   *alert   `json:"alert"`
	}
	err := json.Unmarshal(e.data, &data)
	n := news{device: data.Device, at: time.Now()}
	switch {
	case data.Latest != nil:
		n.at, n.text = cmp.Or(data.Latest.At, n.at), data.Latest.String()
	case data.Relay != nil:
		n.text = "relay is " + data.Relay.String()
	case data.Alert != nil:
		n.text = data.Alert.String()
	case data.Command != nil:
		n.text = data.Command.String()
	}
	return n, err
}

// write writes n as a line of text, or e as a line of JSON.
func (f *follower) write(e event, n news) error {
	if !f.json {
		at := n.at.In(f.env.zone()).Format(time.TimeOnly)
		_, err := fmt.Fprintf(f.env.Stdout, "%s  %s  %s\n", at, f.name(n.device), n.text)
		return err
	}
	id, _ := strconv.ParseInt(e.id, 10, 64) // our ids are numbers; without one there is none to tell
	line, err := json.Marshal(struct {
		ID    int64           `json:"id,omitempty"`
		Event string          `json:"event"`
		Data  json.RawMessage `json:"data"`
	}{id, e.name, e.data})
	if err != nil {
		return fmt.Errorf("write the event as JSON: %w", err)
	}
	_, err = fmt.Fprintf(f.env.Stdout, "%s\n", line)
	return err
}

// name returns what the device is called, as wide as the widest that is
// watched, so that the figures stand below each other.
func (f *follower) name(id string) string {
	width := 0
	for other, name := range f.names {
		if f.wanted == nil || f.wanted[other] {
			width = max(width, utf8.RuneCountInString(name))
		}
	}
	name, known := f.names[id]
	if !known {
		name = id
	}
	return padRight(printable(name), width)
}

// String returns the live quantities in columns.
func (r *reading) String() string {
	return fmt.Sprintf("%7s W  %5s V  %6s A", fixed(r.Power, 1), fixed(r.Voltage, 1), fixed(r.Current, 3))
}

// String tells how far a command has come, and why no further.
func (c *command) String() string {
	s := "switch " + c.Set + ", asked by " + causeWords(c.Cause) + ": " + c.State
	if c.Reason != "" {
		s += " (" + c.Reason + ")"
	}
	return printable(s + wattsWords(c.Watts))
}
