package sim

import (
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// site is what a home is built from, again and again: nothing in it changes,
// so a running house and its history may share it.
type site struct {
	seed      uint64
	number    int // of several homes, from 0
	household *Household
	outlets   []Outlet // the first of the household's appliances, if not all
	// fielded is the number, over all homes, of the first appliance that hangs
	// on a node of the first generation.
	fielded int
	zone    *time.Location
}

// sitesOf divides the appliances into homes of the same household.
func sitesOf(c *Config) []*site {
	var all []*site
	each := len(c.Household.Appliances)
	for left := c.Devices; left > 0; left -= each {
		all = append(all, &site{
			seed:      c.Seed,
			number:    len(all),
			household: c.Household,
			outlets:   c.Household.Appliances[:min(left, each)],
			fielded:   c.Devices - c.Fielded,
			zone:      c.Start.Location(),
		})
	}
	return all
}

// keyOf returns the key of all chances of something in this home.
func (s *site) keyOf(name string) uint64 { return keyOf(s.seed, ordinal(name, " ", s.number)) }

// place is where a meter is in a home.
type place struct {
	smartmeter.Device
	outlet  int // mainPlace for the main meter
	fielded bool
	key     uint64
	// counted is what the meter has counted when the house starts.
	counted decijoules
}

const mainPlace = -1

// places returns where the meters are, the main meter first.
func (s *site) places() []place {
	var main smartmeter.DeviceID
	all := make([]place, 0, 1+len(s.outlets))
	if m := s.household.Main; m != nil {
		all = append(all, s.place(mainPlace, smartmeter.Device{Node: m.ID, Name: m.Name, Room: m.Room, Kind: smartmeter.Generic}))
		main = all[0].ID
	}
	days := 400 + smartmeter.WattHour(s.keyOf("age")%300)
	counted := 24 * days * smartmeter.WattHour(s.base()) // by the main meter
	for i, o := range s.outlets {
		p := s.place(i, smartmeter.Device{Node: o.ID, Name: o.Name, Room: o.Room, Kind: o.Kind, Parent: main})
		daily := modelOf(o.Appliance).daily
		energy := daily * days * smartmeter.WattHour(100+within(p.key, 15)) / 100
		p.counted = decijoules(energy)*perWattHour + decijoules(mix(p.key)%uint64(perWattHour))
		counted += energy
		all = append(all, p)
	}
	if main != "" {
		all[0].counted = decijoules(counted) * perWattHour
	}
	return all
}

// place returns the place of a device that is described for the first home.
func (s *site) place(outlet int, d smartmeter.Device) place {
	key := s.keyOf(string(d.Node))
	d.Node = smartmeter.NodeID(ordinal(string(d.Node), "-", s.number))
	d.Name = ordinal(d.Name, " ", s.number)
	n := s.number*len(s.household.Appliances) + outlet - s.fielded
	fielded := outlet != mainPlace && n >= 0
	if fielded {
		d.Node = sketchID(n)
	}
	d.ID = smartmeter.DefaultDeviceID(d.Node, 0)
	return place{Device: d, outlet: outlet, fielded: fielded, key: key}
}

// base returns about what nobody but the main meter measures, in watts.
func (s *site) base() int64 {
	if s.household.Main == nil {
		return 0
	}
	return int64(s.household.Main.Base)
}

// at returns the home as it is at a Unix time if nobody has switched anything
// since four in the morning. The second that begins then is yet to pass.
func (s *site) at(unix int64) *home {
	t := time.Unix(unix, 0).In(s.zone)
	d := dateOf(t)
	if t.Hour() < firstHour {
		d = d.next(-1)
	}
	h := s.on(d)
	for h.next < unix-settling {
		h.pass()
	}
	for h.next < unix {
		h.second()
	}
	return h
}

// settling is for how many seconds a home must draw power until its voltage
// shows it.
const settling = 5

// on returns the home as it is at four in the morning of a date.
func (s *site) on(d date) *home {
	h := &home{
		site:  s,
		clock: wallClock{zone: s.zone},
		mains: mains{s.keyOf("mains")},
		base:  base{key: s.keyOf("base"), watts: s.base()},
	}
	for _, o := range s.outlets {
		key := s.keyOf(string(o.ID))
		h.outlets = append(h.outlets, outlet{
			key:       key,
			appliance: modelOf(o.Appliance).build(watt*milliwatt(o.Power), randomOn(mix(key), d)),
		})
	}
	h.plan(d)
	h.next = h.today.begin
	h.look()
	return h
}
