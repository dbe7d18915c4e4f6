package hub

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
	"github.com/iot-smart-meter/smartmeter/internal/tariff"
	"golang.org/x/sync/errgroup"
)

// EnergyQuery asks what devices used.
type EnergyQuery struct {
	// Devices are those that are asked for; empty for all.
	Devices []smartmeter.DeviceID
	// From <= t < To, taken down to quarter hours.
	From, To smartmeter.Instant
	Step     ledger.Step
	// Zone is whose clock and calendar the buckets keep; must not be nil.
	Zone *time.Location
}

// EnergySteps are the steps by the names that people use.
var EnergySteps = map[string]ledger.Step{
	"15m": ledger.StepQuarter, "1h": ledger.StepHour, "1d": ledger.StepDay,
	"1w": ledger.StepWeek, "1mo": ledger.StepMonth, "whole": ledger.StepWhole,
}

// EnergyAnswer is what devices used, in the same buckets for all, and what that
// cost. Costs are those of the buckets with the same index, and nil where energy
// has no price; single ones are not known where it had none in part of the time.
type EnergyAnswer struct {
	// Tariff is what energy costs.
	Tariff tariff.Tariff
	// Devices are those that were asked for, by room and name.
	Devices []DeviceEnergy
	// Rooms and House are there if all devices were asked for.
	Rooms []RoomEnergy
	// House is the energy of the devices without a parent.
	House      []smartmeter.EnergyBucket
	HouseCosts []tariff.Cost
}

// DeviceEnergy is what one device used.
type DeviceEnergy struct {
	Device  smartmeter.Device
	Buckets []smartmeter.EnergyBucket
	Costs   []tariff.Cost
	// Unmetered is what the device measured and none of its children did; nil if
	// it has none, or not all devices were asked for.
	Unmetered []ledger.Rest
	RestCosts []tariff.Cost
}

// RoomEnergy is what the devices of a room used, without those whose parent is in
// the room, too.
type RoomEnergy struct {
	Room    string
	Buckets []smartmeter.EnergyBucket
	Costs   []tariff.Cost
}

// maxEnergyBuckets bounds an answer, over all devices.
const maxEnergyBuckets = 100_000

var errManyBuckets = smartmeter.NewError(smartmeter.Invalid, "query.step", "gives more than 100000 buckets for these devices; choose a longer step, a shorter time or fewer devices")

// Energy returns what devices used, in whole Wh that add up: hours to days, and
// children with the unmetered rest to their parent.
func (h *Hub) Energy(ctx context.Context, q EnergyQuery) (EnergyAnswer, error) {
	devices, err := h.asked(q.Devices)
	if err != nil {
		return EnergyAnswer{}, err
	}
	if !dated(q.From) || !dated(q.To) {
		return EnergyAnswer{}, smartmeter.NewError(smartmeter.Invalid, "query.from", "from and to must be between the years 2000 and 2200")
	}
	bindings, err := h.bindings(ctx)
	if err != nil {
		return EnergyAnswer{}, err
	}
	q.From, q.To = q.From-q.From%quarter, q.To-q.To%quarter
	costs, zone := h.prices(ctx)
	spans := costs.Spans(q.From, q.To, zone)
	answer := EnergyAnswer{Tariff: costs, Devices: make([]DeviceEnergy, len(devices))}
	var buckets atomic.Int64
	parts, ctx := errgroup.WithContext(ctx)
	parts.SetLimit(runtime.GOMAXPROCS(0))
	for i, d := range devices {
		parts.Go(func() (err error) {
			answer.Devices[i], err = h.deviceEnergy(ctx, d, bindings, spans, q)
			if buckets.Add(int64(len(answer.Devices[i].Buckets))) > maxEnergyBuckets {
				return errManyBuckets
			}
			return err
		})
	}
	if err := parts.Wait(); err != nil {
		return EnergyAnswer{}, err
	}
	if len(q.Devices) == 0 {
		err = answer.addTotals(spans, q)
	}
	return answer, err
}

// quarter is the width of the least bucket, in ms: all times are taken down to it.
const quarter smartmeter.Instant = 15 * 60 * 1000

// The years 2000 to 2199: no person means another.
const (
	firstDated smartmeter.Instant = 946_684_800_000
	lastDated  smartmeter.Instant = 7_258_118_399_999
)

func dated(t smartmeter.Instant) bool { return firstDated <= t && t <= lastDated }

// asked returns the devices of these ids, by room and name; all if there are none.
func (h *Hub) asked(ids []smartmeter.DeviceID) ([]smartmeter.Device, error) {
	var devices []smartmeter.Device
	for _, s := range h.Devices() {
		if len(ids) == 0 || slices.Contains(ids, s.ID) {
			devices = append(devices, s.Device)
		}
	}
	for _, id := range ids {
		if _, err := h.Device(id); err != nil {
			return nil, err
		}
	}
	return devices, nil
}

// bindings returns which channel measured which device when. Every device began
// with the channel that it is bound to.
func (h *Hub) bindings(ctx context.Context) ([]ledger.Binding, error) {
	journal, err := h.store.Corrections(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	var first []ledger.Binding
	for _, s := range h.Devices() {
		first = append(first, ledger.Binding{Device: s.ID, Node: s.Node, Channel: s.Channel})
	}
	return ledger.Bindings(first, journal), nil
}

// deviceEnergy adds up what a device's channels counted while they were its own,
// and what that cost.
func (h *Hub) deviceEnergy(ctx context.Context, d smartmeter.Device, bindings []ledger.Binding, spans []tariff.Span, q EnergyQuery) (DeviceEnergy, error) {
	sum, err := ledger.NewComposer(q.From, q.To, q.Step, q.Zone)
	if err != nil {
		return DeviceEnergy{}, inQuery(err)
	}
	priced, err := newCosting(spans, q)
	if err != nil {
		return DeviceEnergy{}, err
	}
	for _, b := range bindings {
		from, to := max(q.From, b.From), min(q.To, b.To)
		if b.Device != d.ID || from >= to {
			continue
		}
		days := ledger.Range{First: ledger.DayOf(from), Last: ledger.DayOf(to - 1)}
		for sums, err := range h.store.EnergySums(ctx, b.Node, b.Channel, days) {
			if err != nil {
				return DeviceEnergy{}, unavailable(err)
			}
			sum.AddBetween(sums, from, to)
			priced.add(sums, from, to)
		}
	}
	buckets := sum.Buckets()
	return DeviceEnergy{Device: d, Buckets: buckets, Costs: priced.costs(buckets)}, nil
}

// inQuery puts the field of an error in the words of a query.
func inQuery(err error) error {
	if known, ok := errors.AsType[*smartmeter.Error](err); ok {
		return smartmeter.NewError(known.Code, "query."+known.Field, known.Message)
	}
	return err
}

// addTotals adds the rests, the rooms and the house to an answer of all devices.
func (a *EnergyAnswer) addTotals(spans []tariff.Span, q EnergyQuery) error {
	empty, err := ledger.NewComposer(q.From, q.To, q.Step, q.Zone)
	if err != nil {
		return inQuery(err)
	}
	a.House = empty.Buckets()
	for i := range a.House {
		a.House[i].Missing = 0
	}
	a.HouseCosts = noCosts(spans, a.House)
	nothing := RoomEnergy{Buckets: slices.Clone(a.House), Costs: slices.Clone(a.HouseCosts)}
	room := make(map[smartmeter.DeviceID]string)
	children := make(map[smartmeter.DeviceID][]*DeviceEnergy)
	for i := range a.Devices {
		d := &a.Devices[i]
		room[d.Device.ID] = d.Device.Room
		children[d.Device.Parent] = append(children[d.Device.Parent], d)
	}
	for i := range a.Devices {
		d := &a.Devices[i]
		parents, known := room[d.Device.Parent]
		if !known {
			add(a.House, d.Buckets)
			addCosts(a.HouseCosts, d.Costs)
		}
		if d.Device.Room != "" && (!known || parents != d.Device.Room) {
			r := a.room(d.Device.Room, nothing)
			add(r.Buckets, d.Buckets)
			addCosts(r.Costs, d.Costs)
		}
		if own := children[d.Device.ID]; len(own) > 0 {
			d.Unmetered, d.RestCosts = unmetered(d, own), restCosts(d, own)
		}
	}
	return nil
}

// room returns a room's sums, with nothing in them at first. Devices come by
// room.
func (a *EnergyAnswer) room(name string, nothing RoomEnergy) *RoomEnergy {
	if n := len(a.Rooms); n == 0 || a.Rooms[n-1].Room != name {
		a.Rooms = append(a.Rooms, RoomEnergy{Room: name, Buckets: slices.Clone(nothing.Buckets), Costs: slices.Clone(nothing.Costs)})
	}
	return &a.Rooms[len(a.Rooms)-1]
}

// add adds a device's buckets to a sum, of which as much is missing as of the
// device of which most is.
func add(sum, more []smartmeter.EnergyBucket) {
	for i := range sum {
		sum[i].Energy += more[i].Energy
		sum[i].Quality |= more[i].Quality
		sum[i].Missing = max(sum[i].Missing, more[i].Missing)
	}
}

func unmetered(parent *DeviceEnergy, children []*DeviceEnergy) []ledger.Rest {
	rests := make([]ledger.Rest, len(parent.Buckets))
	flows := make([]ledger.Flow, len(children))
	for i := range rests {
		for k, child := range children {
			flows[k] = ledger.Flow{Import: child.Buckets[i]}
		}
		rests[i] = ledger.Unmetered(ledger.Flow{Import: parent.Buckets[i]}, flows...)
	}
	return rests
}
