package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
)

// step does one random thing.
func (m *house) step(ctx context.Context) error {
	m.now = m.now.Add(time.Duration(m.rng.IntN(120)) * time.Second)
	n := m.nodes[m.rng.IntN(len(m.nodes))]
	switch dice := m.rng.IntN(100); {
	case dice < 45:
		return m.measure(n)
	case dice < 62:
		return m.try("sync", m.s.Sync(ctx))
	case dice < 65:
		m.lose(n)
	case dice < 69:
		return m.putDevice(n)
	case dice < 74:
		return m.putCommand(n)
	case dice < 77:
		return m.putRetained()
	case dice < 84:
		return m.seal(ctx)
	case dice < 86:
		return m.pack(ctx)
	case dice < 88:
		return m.erase(ctx, n)
	case dice < 91:
		m.now = m.now.Add(time.Duration(m.rng.IntN(20)) * time.Hour)
	case dice < 92:
		return m.settleEnergy(ctx)
	case dice < 96:
		m.temper()
	default:
		return m.compare(ctx, false)
	}
	return nil
}

// temper changes the disk's vices.
func (m *house) temper() {
	m.vices = faultdisk.Faults{Lies: m.lies}
	switch m.rng.IntN(8) {
	case 0:
		m.vices.Errors = 0.2
	case 1:
		m.vices.FullAt = 1
	case 2:
		m.vices.ReadOnly = true
	}
	m.disk.SetFaults(m.vices)
	m.note("vices %+v", m.vices)
}

// try takes what Sync, or what begins with it, acknowledges.
func (m *house) try(what string, err error) error {
	m.note("%s: %v", what, err)
	if err != nil {
		m.failedSyncs++
		if !m.excused(err) {
			return fmt.Errorf("%s: %w", what, err)
		}
		m.takeWatermarks()
		return nil
	}
	m.acknowledge()
	m.takeWatermarks()
	return nil
}

// acknowledge notes that all that was given is durable.
func (m *house) acknowledge() {
	for _, n := range m.nodes {
		p := n.present()
		n.pasts = []*past{p}
		p.acked = len(p.given)
		p.device.acknowledge()
		for _, c := range p.commands {
			c.acknowledge()
		}
	}
	for _, c := range m.retained {
		c.acknowledge()
	}
	m.settle()
}

// settle remembers what even a disk that lies must have: all, if its cache is
// empty and nothing that it had lost waits to be written again.
func (m *house) settle() {
	if m.lies > 0 && (m.disk.Dirty() || len(m.s.entries) > 0) {
		return
	}
	for _, n := range m.nodes {
		p := n.present()
		if m.lies > 0 { // what it forgot and took for kept does not count
			p.given, _ = collect(m.s.Readings(context.Background(), n.id, 0, 0, endOfTime))
			p.acked = len(p.given)
		}
		p.solid = p.acked
	}
}

// takeWatermarks takes them at their word.
func (m *house) takeWatermarks() {
	for _, w := range m.s.Watermarks() {
		for _, n := range m.nodes {
			if n.id != w.Node {
				continue
			}
			p := n.present()
			for i, r := range p.given {
				if r.Boot == w.Boot && r.Seq != 0 && r.Seq <= w.Seq {
					p.acked = max(p.acked, i+1)
					n.pasts = n.pasts[len(n.pasts)-1:] // what was erased before a durable sample is erased, lost ones say nothing
				}
			}
		}
	}
}

func (m *house) reboot(n *modelNode) {
	m.boots++
	n.boot, n.seq = smartmeter.BootID(m.boots*0x9e3779b9|1), 0
	if !n.numbered {
		n.boot = 0
	}
}

// measure gives the store readings: new ones, late ones, gaps, and such as it
// has already.
func (m *house) measure(n *modelNode) error {
	if m.rng.IntN(30) == 0 {
		m.reboot(n)
	}
	at := smartmeter.InstantOf(m.now)
	if m.rng.IntN(6) == 0 {
		at -= smartmeter.Instant(m.rng.IntN(4 * 24 * 3600_000))
	}
	var batch []smartmeter.Reading
	for range 1 + m.rng.IntN(12) {
		at += smartmeter.Instant(m.rng.IntN(10_000))
		batch = append(batch, m.reading(n, at))
	}
	if n.numbered {
		m.rng.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
	}
	m.note("%d readings of %s", len(batch), n.id)
	if err := m.s.AppendReadings(batch...); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	for _, r := range batch {
		n.present().take(r)
	}
	m.readings += len(batch)
	return nil
}

func (m *house) reading(n *modelNode, at smartmeter.Instant) smartmeter.Reading {
	if n.numbered && n.seq > 0 && m.rng.IntN(8) == 0 { // again, perhaps, at another time and with another value
		again := m.values(smartmeter.Reading{Node: n.id, At: at, Boot: n.boot, Seq: 1 + m.rng.Uint32N(n.seq)})
		return again
	}
	r := smartmeter.Reading{Node: n.id, At: at, Timing: smartmeter.ByArrival}
	if n.numbered {
		n.seq++
		if m.rng.IntN(15) == 0 {
			n.seq += 2
		}
		r.Boot, r.Seq, r.Timing = n.boot, n.seq, smartmeter.ByNode
	} else {
		r.At -= r.At % 4000 // so that some are measured together
	}
	return m.values(r)
}

// values measures.
func (m *house) values(r smartmeter.Reading) smartmeter.Reading {
	r.Measurement = smartmeter.Measurement{
		Has: smartmeter.AllQuantities, Voltage: 2300 + smartmeter.Decivolt(m.rng.IntN(50)),
		Current: smartmeter.Milliamp(m.rng.IntN(9000)), Power: smartmeter.Deciwatt(m.rng.IntN(20_000)),
		Energy: smartmeter.WattHour(m.rng.IntN(100_000)), Frequency: 500, PowerFactor: 97,
	}
	if m.rng.IntN(3) == 0 {
		r.Has = smartmeter.Quantities(m.rng.IntN(64))
		r.Measurement = only(r.Measurement)
	}
	return r
}

// only returns a measurement without what it does not have.
func only(m smartmeter.Measurement) (kept smartmeter.Measurement) {
	gather(&kept, m)
	return kept
}

// take notes a reading, unless the store has its like.
func (p *past) take(r smartmeter.Reading) {
	id := idOf(r)
	p.ever[id] = append(p.ever[id], r)
	if r.Seq != 0 && p.taken[id] {
		return
	}
	p.taken[id] = true
	p.given = append(p.given, r)
}

func idOf(r smartmeter.Reading) sampleID {
	if r.Seq != 0 {
		return sampleID{boot: r.Boot, seq: r.Seq}
	}
	return sampleID{at: r.At}
}

// lose has a node say that it lost all but its newest samples.
func (m *house) lose(n *modelNode) {
	if n.numbered && n.seq > 0 {
		m.s.Lost(n.id, 0, n.boot, 1+m.rng.Uint32N(n.seq))
	}
	m.takeWatermarks() // what comes in later although it was lost is not meant
}

func (m *house) putDevice(n *modelNode) error {
	m.serial++
	d := &smartmeter.Device{ID: smartmeter.DeviceID(n.id), Name: fmt.Sprint("name ", m.serial), Kind: smartmeter.Generic, Node: n.id}
	n.present().device.set(d)
	m.note("%s is %s", n.id, d.Name)
	return m.s.PutDevice(*d)
}

// putCommand adds a command, or says what became of one.
func (m *house) putCommand(n *modelNode) error {
	m.serial++
	p := n.present()
	c := &smartmeter.Command{ID: fmt.Sprint(n.id, " ", m.rng.IntN(8), " ", len(n.pasts)), Device: smartmeter.DeviceID(n.id), AskedAt: smartmeter.Instant(m.serial), Reason: fmt.Sprint(m.serial)}
	if p.commands[c.ID] == nil {
		p.commands[c.ID] = &cell[*smartmeter.Command]{states: []*smartmeter.Command{nil}, ever: []*smartmeter.Command{nil}}
	}
	p.commands[c.ID].set(c)
	m.note("command %v", *c)
	return m.s.PutCommand(*c)
}

func (m *house) putRetained() error {
	var all []smartmeter.Message
	for topic, c := range sorted(m.retained) {
		if m.rng.IntN(2) == 0 {
			m.serial++
			c.set([]string{"", fmt.Sprint(m.serial)}[m.rng.IntN(2)])
		}
		if c.newest() != "" {
			all = append(all, smartmeter.Message{Topic: topic, Payload: []byte(c.newest()), Retained: true})
		}
	}
	return m.s.PutRetained(all)
}

// seal seals the days that are over, or, as after a jump of the clock, one that
// is not. While it moves data about, a disk that lies holds nothing for sure.
func (m *house) seal(ctx context.Context) error {
	before := m.now.Add(-time.Hour)
	if m.rng.IntN(5) == 0 {
		before = m.now.Add(24 * time.Hour)
	}
	m.unsettle()
	m.sealed++
	return m.try(fmt.Sprint("seal before ", before), m.s.Seal(ctx, before))
}

// unsettleIfErasing does that if the log has an erasure, with which the store
// goes on when it is opened.
func (m *house) unsettleIfErasing() error {
	if m.lies == 0 {
		return nil
	}
	segments, err := m.disk.List(logDir)
	if err != nil {
		return nil // there is no log yet
	}
	for _, e := range segments {
		f, err := m.disk.Open(path.Join(logDir, e.Name))
		if err != nil {
			return err
		}
		content := make([]byte, e.Size)
		if _, err := f.ReadAt(content, 0); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if bytes.Contains(content, []byte(`{"erased":`)) {
			m.unsettle()
		}
	}
	return nil
}

func (m *house) unsettle() {
	if m.lies > 0 {
		for _, n := range m.nodes {
			n.present().solid = 0
		}
	}
}

func (m *house) pack(ctx context.Context) error {
	if err := m.s.sealing.lock(ctx); err != nil {
		return err
	}
	defer m.s.sealing.unlock()
	m.packed++
	return m.s.packMemory(1 + m.rng.IntN(10))
}

func (m *house) settleEnergy(ctx context.Context) error {
	if err := m.s.settleAll(ctx); err != nil && !m.excused(err) {
		return fmt.Errorf("settle energy: %w", err)
	}
	return nil
}

// nextPast begins anew. A disk that lies may bring back what was erased, for it
// forgot that, and it may lose it again, when later on it comes up with a database
// of the time in between. Nobody can tell which of the two is the truth, so nothing
// is demanded of what somebody wanted to be gone.
func (m *house) nextPast(before *past) *past {
	p := newPast()
	if m.lies > 0 {
		p.ever, p.commands, p.device.ever = before.ever, before.commands, before.device.ever
		p.doomed = make(map[sampleID]bool)
		for id := range before.ever {
			p.doomed[id] = true
		}
	}
	return p
}

// erase erases a node's device, but not that often.
func (m *house) erase(ctx context.Context, n *modelNode) error {
	if m.rng.IntN(3) > 0 {
		return nil
	}
	return m.eraseDevice(ctx, n)
}

// eraseDevice erases a node's device. If that fails, the old past or a new one may
// be found later.
func (m *house) eraseDevice(ctx context.Context, n *modelNode) error {
	device, id := smartmeter.Device{ID: smartmeter.DeviceID(n.id), Node: n.id}, channelID{n.id, 0}
	if m.s.channels[id] == nil && m.s.devices[device.ID] == (smartmeter.Device{}) {
		return nil // there is nothing to erase
	}
	m.unsettle()
	before := slices.Clone(n.pasts)
	n.pasts = append(n.pasts, m.nextPast(n.present()))
	m.reboot(n)
	err := m.s.EraseDevice(ctx, device)
	if err == nil {
		m.erased++
		return m.try("erase "+string(n.id), nil)
	}
	m.halfErased++
	begun := m.s.channels[id] == nil && m.s.devices[device.ID] == (smartmeter.Device{})
	if begun != errors.Is(err, smartmeter.ErrErasing) {
		return fmt.Errorf("erase %s: begun is %v, and it says: %w", n.id, begun, err)
	}
	if !begun {
		n.pasts = before
	}
	return m.try("erase "+string(n.id), err)
}
