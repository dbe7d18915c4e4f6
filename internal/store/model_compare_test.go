package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/rollup"
)

const endOfTime = smartmeter.Instant(1) << 60

// compare holds the answers against what was given. At the beginning of a
// life, what is found is what counts from then on, for it is durable. Later on, it
// is the answers about one node.
func (m *house) compare(ctx context.Context, opened bool) error {
	m.compared++
	nodes := m.nodes
	if !opened {
		i := m.rng.IntN(len(nodes))
		nodes = nodes[i : i+1]
	}
	for _, n := range nodes {
		if err := m.compareNode(ctx, n, opened); err != nil {
			return fmt.Errorf("%s: %w", n.id, err)
		}
	}
	if err := m.compareRetained(ctx, opened); err != nil {
		return err
	}
	if opened {
		m.settle()
	}
	if m.lies > 0 {
		return nil // sums may outlive the readings that such a disk lost
	}
	return m.compareBuckets(ctx)
}

// answers are what a store answers of a node.
type answers struct {
	readings []smartmeter.Reading
	device   *smartmeter.Device
	commands map[string]*smartmeter.Command
}

func (m *house) find(ctx context.Context, n *modelNode) (f answers, err error) {
	for r, err := range m.s.Readings(ctx, n.id, 0, 0, endOfTime) {
		if err != nil {
			return f, err
		}
		f.readings = append(f.readings, r)
	}
	f.device, _ = m.s.deviceOf(n.id)
	f.commands = make(map[string]*smartmeter.Command)
	commands, err := m.s.index.commands(ctx, smartmeter.DeviceID(n.id), 1000)
	for _, c := range commands {
		f.commands[c.ID] = &c
	}
	return f, err
}

// deviceOf returns the device with a node's id.
func (s *Store) deviceOf(id smartmeter.NodeID) (*smartmeter.Device, bool) {
	d, ok := s.devices[smartmeter.DeviceID(id)]
	if !ok {
		return nil, false
	}
	return &d, true
}

// compareNode finds which of a node's pasts a store is in; there must be one.
func (m *house) compareNode(ctx context.Context, n *modelNode, opened bool) error {
	f, err := m.find(ctx, n)
	if err != nil {
		return err
	}
	var errs []error
	for i, p := range slices.Backward(n.pasts) {
		switch {
		case m.lies > 0:
			err = p.matchLiar(f)
		case opened:
			err = p.match(f)
		default:
			err = p.matchNow(f, len(m.s.erasures) > 0)
		}
		if err == nil && opened {
			n.pasts = n.pasts[i : i+1]
			m.lost += max(0, len(p.given)-len(f.readings))
			p.become(f, m.lies > 0)
		}
		if err == nil || !opened { // while it lives there is only the present
			return err
		}
		errs = append(errs, fmt.Errorf("%d pasts back: %w", len(n.pasts)-1-i, err))
	}
	return errors.Join(errs...)
}

// match holds what was found against a past: all that was acknowledged, and
// perhaps a part of what came then.
func (p *past) match(f answers) error {
	var last error
	for n := len(p.given); n >= p.acked; n-- {
		given := past{given: p.given[:n]}
		if n > p.acked && !given.gaveAsMany(f.readings) {
			continue
		}
		if last = same(f.readings, inModelOrder(given.given)); last == nil {
			break
		}
		if n == p.acked {
			return fmt.Errorf("%d given, %d acknowledged: %w", len(p.given), p.acked, last)
		}
	}
	if !p.device.may(f.device) {
		return fmt.Errorf("device %+v, want one of %v", f.device, values(p.device.states))
	}
	for id := range f.commands {
		if p.commands[id] == nil {
			return fmt.Errorf("command %s was never given", id)
		}
	}
	for id, c := range p.commands {
		if !c.may(f.commands[id]) {
			return fmt.Errorf("command %s: %+v, want one of %v", id, f.commands[id], values(c.states))
		}
	}
	return nil
}

// gaveAsMany says quickly whether so many readings may be what was given: of a node
// that numbers its samples each is a reading.
func (p *past) gaveAsMany(found []smartmeter.Reading) bool {
	return len(p.given) == 0 || p.given[0].Seq == 0 || len(p.given) == len(found)
}

// matchNow holds what was found against all that was given. Commands alone may
// be behind, when the disk refuses, or those of an erased device ahead.
func (p *past) matchNow(f answers, erasing bool) error {
	if err := same(f.readings, inModelOrder(p.given)); err != nil {
		return fmt.Errorf("while it lives: %w", err)
	}
	if !reflect.DeepEqual(f.device, p.device.newest()) {
		return fmt.Errorf("device %+v while it lives, want %+v", f.device, p.device.newest())
	}
	for id, c := range p.commands {
		if !c.may(f.commands[id]) && !erasing {
			return fmt.Errorf("command %s: %+v while it lives", id, f.commands[id])
		}
	}
	return nil
}

// matchLiar holds what was found on a disk that lied against all that was ever
// given: it must be some of that, each once, in order, and all that the disk had.
//
// A sample may be there with each time that its node ever gave it, for it may come
// again with another one, and be sealed, when the disk has lost it, and then the
// disk comes up with the record of the first. Which samples are sealed is known,
// but not with what times, short of reading all monthly files at every start. It
// changes no energy, which the register carries, and the log alone knows better:
// see TestSampleThatACardBringsBackCountsOnce.
func (p *past) matchLiar(f answers) error {
	seen := make(map[sampleID]bool)
	for i, r := range f.readings {
		if i > 0 && modelOrder(f.readings[i-1], r) >= 0 {
			return fmt.Errorf("%+v is out of order, or there twice", r)
		}
		seen[idOf(r)] = true
		if !p.gave(r) {
			return fmt.Errorf("%+v was never measured, only %+v", r, p.ever[idOf(r)])
		}
	}
	for _, r := range p.given[:p.solid] {
		if !seen[idOf(r)] && !p.doomed[idOf(r)] {
			return fmt.Errorf("%+v is lost, and the disk had it", r)
		}
	}
	if !slices.ContainsFunc(p.device.ever, func(d *smartmeter.Device) bool { return reflect.DeepEqual(d, f.device) }) {
		return fmt.Errorf("device %+v was never given", f.device)
	}
	for id, c := range f.commands {
		if p.commands[id] == nil || !slices.ContainsFunc(p.commands[id].ever, func(e *smartmeter.Command) bool { return reflect.DeepEqual(e, c) }) {
			return fmt.Errorf("command %+v was never given", c)
		}
	}
	return nil
}

// gave says whether a reading, or each of its quantities, was ever given.
func (p *past) gave(r smartmeter.Reading) bool {
	if r.Seq != 0 {
		return slices.Contains(p.ever[idOf(r)], r)
	}
	var wrong smartmeter.Quantities = r.Has
	for _, given := range p.ever[idOf(r)] {
		mine, its := quantities(&r.Measurement), quantities(&given.Measurement)
		for q := range mine {
			if given.Has.Has(1<<q) && mine[q] == its[q] {
				wrong &^= 1 << q
			}
		}
	}
	return wrong == 0 && len(p.ever[idOf(r)]) > 0
}

// become takes what was found for what is durable.
func (p *past) become(f answers, lying bool) {
	if lying {
		p.given = slices.Clone(f.readings)
	}
	for !p.gaveAsMany(f.readings) || same(f.readings, inModelOrder(p.given)) != nil {
		p.given = p.given[:len(p.given)-1] // one of them matched
	}
	p.acked, p.solid = len(p.given), min(p.solid, len(p.given))
	clear(p.taken)
	for _, r := range p.given {
		p.taken[idOf(r)] = true
	}
	p.device.states = []*smartmeter.Device{f.device}
	for id, c := range p.commands {
		c.states = []*smartmeter.Command{f.commands[id]}
	}
}

func (m *house) compareRetained(ctx context.Context, opened bool) error {
	messages, err := m.s.Retained(ctx)
	if err != nil {
		return err
	}
	got := make(map[string]string)
	for _, msg := range messages {
		got[msg.Topic] = string(msg.Payload)
	}
	for topic, c := range m.retained {
		may := c.states
		if m.lies > 0 {
			may = c.ever
		}
		if !slices.Contains(may, got[topic]) || !opened && got[topic] != c.newest() {
			return fmt.Errorf("retained %s: %q, want one of %q", topic, got[topic], may)
		}
		if opened {
			c.states = []string{got[topic]}
		}
	}
	return nil
}

// compareBuckets holds the sums of a node against those of its readings.
func (m *house) compareBuckets(ctx context.Context) error {
	n := m.nodes[m.rng.IntN(len(m.nodes))]
	width := []smartmeter.Millis{rollup.Quarter, rollup.Hour, rollup.Day, 60_000}[m.rng.IntN(4)]
	from := smartmeter.InstantOf(m.now) - smartmeter.Instant(m.rng.IntN(6*24))*3600_000
	if m.rng.IntN(2) == 0 {
		from = rollup.Midnight(from)
	}
	to := from + smartmeter.Instant(m.rng.IntN(8*24))*3600_000
	got, err := collect(m.s.Buckets(ctx, n.id, 0, smartmeter.AllQuantities, from, to, width))
	if err != nil {
		return err
	}
	want, err := collect(rollup.Fold(m.s.Readings(ctx, n.id, 0, from, to), smartmeter.AllQuantities, from, to, width))
	if err != nil {
		return err
	}
	if d := gocmp.Diff(want, got); d != "" {
		return fmt.Errorf("%s by %d ms from %d to %d: the sums are not those of the readings:\n%s", n.id, width, from, to, d)
	}
	return nil
}

// may says whether a state may be found.
func (c *cell[T]) may(state T) bool {
	return slices.ContainsFunc(c.states, func(s T) bool { return reflect.DeepEqual(s, state) })
}

// inModelOrder says anew, and more slowly, how readings are to be returned.
func inModelOrder(given []smartmeter.Reading) []smartmeter.Reading {
	var all []smartmeter.Reading
	at := make(map[smartmeter.Instant]int)
	for _, r := range given {
		if i, known := at[r.At]; known && r.Seq == 0 {
			gather(&all[i].Measurement, r.Measurement)
			continue
		}
		if r.Seq == 0 {
			at[r.At] = len(all)
		}
		all = append(all, r)
	}
	slices.SortFunc(all, modelOrder)
	return all
}

func modelOrder(x, y smartmeter.Reading) int {
	return cmp.Or(cmp.Compare(x.At, y.At), cmp.Compare(x.Boot, y.Boot), cmp.Compare(x.Seq, y.Seq))
}

// gather adds what is missing.
func gather(m *smartmeter.Measurement, more smartmeter.Measurement) {
	v, add := quantities(m), quantities(&more)
	for q := range v {
		if !m.Has.Has(1<<q) && more.Has.Has(1<<q) {
			v[q] = add[q]
		}
	}
	*m = smartmeter.Measurement{
		Has: m.Has | more.Has, Voltage: smartmeter.Decivolt(v[0]), Current: smartmeter.Milliamp(v[1]), Power: smartmeter.Deciwatt(v[2]),
		Energy: smartmeter.WattHour(v[3]), Frequency: smartmeter.Decihertz(v[4]), PowerFactor: smartmeter.Hundredth(v[5]),
	}
}

// same names the first difference.
func same(got, want []smartmeter.Reading) error {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Errorf("reading %d of %d is\n%+v, want of %d\n%+v", i, len(got), got[i], len(want), want[i])
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d readings, want %d", len(got), len(want))
	}
	return nil
}

func collect[T any](all iter.Seq2[T, error]) (list []T, err error) {
	for v, err := range all {
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func values[T any](all []*T) (list []any) {
	for _, v := range all {
		if v == nil {
			list = append(list, "none")
			continue
		}
		list = append(list, *v)
	}
	return list
}

// sorted yields a map in the order of its keys.
func sorted[V any](all map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(all)) {
			if !yield(key, all[key]) {
				return
			}
		}
	}
}
