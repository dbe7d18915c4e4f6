package sim

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/iot-smart-meter/smartmeter"
)

// Household describes a home: what hangs on which outlet, and the meter that
// measures them all. A house file holds one as JSON, see [ReadHousehold].
type Household struct {
	// Main is nil if nothing measures the whole.
	Main *Main `json:"main"`
	// Appliances must not be empty.
	Appliances []Outlet `json:"appliances"`
}

// Main is the meter of a whole home. It has no relay.
type Main struct {
	ID smartmeter.NodeID `json:"id"`
	// Name is "Main meter" if it is empty.
	Name string `json:"name"`
	Room string `json:"room"`
	// Base is about what the home draws that no other meter measures, in watts:
	// the router, and all that is never quite off. 0 means what is usual.
	Base int `json:"base_w"`
}

// Outlet is an appliance and the node that meters and switches it.
type Outlet struct {
	// Appliance is the word for it in a house file, such as "washing_machine".
	Appliance string            `json:"appliance"`
	ID        smartmeter.NodeID `json:"id"`
	// Name and Kind are those of the appliance if they are empty.
	Name string              `json:"name"`
	Room string              `json:"room"`
	Kind smartmeter.LoadKind `json:"kind"`
	// Power is what it is rated at, in watts. 0 means what is usual.
	Power int `json:"power_w"`
}

// DefaultHousehold is a home with one of each appliance.
func DefaultHousehold() *Household {
	h, err := (&Household{
		Main: &Main{ID: "sim-main", Room: "Hallway"},
		Appliances: []Outlet{
			{Appliance: "fridge", ID: "sim-fridge", Room: "Kitchen"},
			{Appliance: "freezer", ID: "sim-freezer", Room: "Cellar"},
			{Appliance: "kettle", ID: "sim-kettle", Room: "Kitchen"},
			{Appliance: "air_conditioner", ID: "sim-aircon", Room: "Living room"},
			{Appliance: "water_heater", ID: "sim-boiler", Room: "Bathroom"},
			{Appliance: "washing_machine", ID: "sim-washer", Room: "Bathroom"},
			{Appliance: "tv", ID: "sim-tv", Room: "Living room"},
			{Appliance: "lights", ID: "sim-lights", Room: "Living room"},
		},
	}).completed()
	if err != nil {
		panic(err) // it is the one above
	}
	return h
}

const (
	usualBase, leastBase, mostBase = 74, 20, 2000

	longestText = 64 // characters
)

// completed returns h with everything filled in that was left open, or a
// *smartmeter.Error that names what is wrong with it.
func (h *Household) completed() (*Household, error) {
	c := &Household{}
	taken := map[smartmeter.NodeID]bool{}
	if h.Main != nil {
		m, err := h.Main.completed()
		if err != nil {
			return nil, below("main", err)
		}
		c.Main, taken[m.ID] = m, true
	}
	if len(h.Appliances) == 0 {
		return nil, invalid("appliances", "must not be empty: list at least one, as {\"appliance\": \"fridge\", \"id\": \"my-fridge\"}")
	}
	for i, o := range h.Appliances {
		err := o.complete()
		if err == nil && taken[o.ID] {
			err = invalid("id", strconv.Quote(string(o.ID))+" is taken: every node needs one of its own")
		}
		if err != nil {
			return nil, below("appliances["+strconv.Itoa(i)+"]", err)
		}
		taken[o.ID] = true
		c.Appliances = append(c.Appliances, o)
	}
	return c, nil
}

func (m Main) completed() (*Main, error) {
	if m.Name == "" {
		m.Name = "Main meter"
	}
	if m.Base == 0 {
		m.Base = usualBase
	}
	if m.Base < leastBase || m.Base > mostBase {
		return nil, outOfRange("base_w", leastBase, mostBase)
	}
	return &m, checkTexts(m.ID, m.Name, m.Room)
}

// complete fills in what was left open.
func (o *Outlet) complete() error {
	of := modelOf(o.Appliance)
	if of == nil {
		return invalid("appliance", strconv.Quote(o.Appliance)+" is not known: use "+alternatives(words()))
	}
	if o.Name == "" {
		o.Name = of.name
	}
	if o.Kind == "" {
		o.Kind = of.kind
	}
	if o.Power == 0 {
		o.Power = of.watts
	}
	if o.Power < of.least || o.Power > of.most {
		return outOfRange("power_w", of.least, of.most)
	}
	for _, k := range smartmeter.LoadKinds() {
		if o.Kind == k {
			return checkTexts(o.ID, o.Name, o.Room)
		}
	}
	var kinds []string
	for _, k := range smartmeter.LoadKinds() {
		kinds = append(kinds, string(k))
	}
	return invalid("kind", strconv.Quote(string(o.Kind))+" is not known: use "+alternatives(kinds))
}

func words() []string {
	var all []string
	for _, m := range models {
		all = append(all, m.word)
	}
	return all
}

func checkTexts(id smartmeter.NodeID, name, room string) error {
	if !smartmeter.ValidNodeID(string(id)) {
		return invalid("id", "must have 1 to 64 characters of A-Z a-z 0-9 . _ - and nothing else")
	}
	if err := checkText("name", name); err != nil {
		return err
	}
	return checkText("room", room)
}

func checkText(field, text string) error {
	switch {
	case !utf8.ValidString(text) || strings.ContainsFunc(text, isUnseen):
		return invalid(field, "must be text without control characters and invisible ones")
	case strings.TrimSpace(text) != text:
		return invalid(field, "must not begin or end with a space")
	case utf8.RuneCountInString(text) > longestText:
		return invalid(field, "must have at most 64 characters")
	}
	return nil
}

// isUnseen reports whether r controls or formats text instead of being seen: two
// names could look alike by it, or one read backwards.
func isUnseen(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }

func outOfRange(field string, least, most int) error {
	return invalid(field, "must be from "+strconv.Itoa(least)+" to "+strconv.Itoa(most)+", in whole watts")
}

// invalid says that a field is wrong, and what to write instead.
func invalid(field, message string) error {
	return smartmeter.NewError(smartmeter.Invalid, field, message)
}

// below puts a field's error where the field is.
func below(path string, err error) error {
	e := *err.(*smartmeter.Error)
	e.Field = path + "." + e.Field
	return &e
}

// alternatives returns "a, b or c".
func alternatives(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
