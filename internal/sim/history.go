package sim

import (
	"iter"
	"slices"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// historyInterval is how far apart the readings of the past are, in seconds.
const historyInterval = 5

// History returns what the meters of the house have read before it started:
// today since midnight, and then as many whole days before it, newest first,
// each with the time of its midnight. Readings come every 5 s, a device's in
// order of time, the main meter's first. They exist only while the loop is at
// their day.
//
// It is the same house: what runs at the start has been switched on in its
// history, and the registers of the running house go on, to the watt-hour,
// where the history ends. Equal seeds and starts give equal histories.
//
// It does not touch the running house, and may be used from another goroutine.
func (h *House) History(days int) iter.Seq2[time.Time, iter.Seq[smartmeter.Reading]] {
	return func(yield func(time.Time, iter.Seq[smartmeter.Reading]) bool) {
		p := newPast(h.sites)
		zone, end := h.start.Location(), h.start.Unix()
		for back := range days + 1 {
			midnight := dateOf(h.start).next(-back).clock(zone, 0)
			p.simulate(midnight, end)
			if !yield(time.Unix(midnight, 0).In(zone), p.readings) {
				return
			}
			end = midnight
		}
	}
}

// past is one day of all homes. Days are simulated from the last to the first,
// and each of them forwards. So a register is known at the end of a day only,
// and what it showed during the day is computed when the day is over.
type past struct {
	begin int64
	homes []pastHome
}

type pastHome struct {
	site   *site
	meters []pastMeter
}

// pastMeter is one meter and its day.
type pastMeter struct {
	meter
	place    // counted is what was counted when the day begins
	onTheDay decijoules
	records  []record
}

// record is one reading of a day, its register counted from midnight.
type record struct {
	shown   smartmeter.Measurement
	counted decijoules
}

func newPast(sites []*site) *past {
	p := &past{}
	for _, s := range sites {
		home := pastHome{site: s}
		for _, at := range s.places() {
			home.meters = append(home.meters, pastMeter{meter: newMeter(at.key), place: at})
		}
		p.homes = append(p.homes, home)
	}
	return p
}

// simulate computes the readings from begin to before end, which is where it
// began the time before.
func (p *past) simulate(begin, end int64) {
	p.begin = begin
	for i := range p.homes {
		p.homes[i].simulate(begin, end)
	}
}

func (p *pastHome) simulate(begin, end int64) {
	for i := range p.meters {
		m := &p.meters[i]
		m.onTheDay, m.records = 0, slices.Grow(m.records[:0], int(end-begin)/historyInterval+1)
	}
	for from := begin; from < end; {
		h := p.site.at(from)
		from = min(h.today.end, end)
		p.observe(h, from)
	}
	for i := range p.meters {
		p.meters[i].counted -= p.meters[i].onTheDay
	}
}

// observe lets a home live until end and records what its meters show.
func (p *pastHome) observe(h *home, end int64) {
	for h.next < end {
		h.second()
		shown := h.now.unix%historyInterval == 0
		for i := range p.meters {
			m := &p.meters[i]
			l := h.loadAt(m.outlet)
			m.onTheDay += decijoules(m.power(l))
			if shown {
				m.records = append(m.records, record{m.shows(&h.now, m.outlet, l), m.onTheDay})
			}
		}
	}
}

// readings yields the day.
func (p *past) readings(yield func(smartmeter.Reading) bool) {
	first := (p.begin + historyInterval - 1) / historyInterval * historyInterval
	for i := range p.homes {
		for j := range p.homes[i].meters {
			m := &p.homes[i].meters[j]
			r := smartmeter.Reading{Node: m.Node, Timing: smartmeter.ByNode, Boot: pastBoot(p.begin)}
			for n := range m.records {
				r.At = smartmeter.Instant(first+int64(n)*historyInterval) * 1000
				r.Seq = uint32(n + 1)
				r.Measurement = m.records[n].shown
				r.Energy = register(m.counted + m.records[n].counted)
				if !yield(r) {
					return
				}
			}
		}
	}
}

// past boots are told from those of running nodes by their highest bit.
const pastFlag smartmeter.BootID = 1 << 31

// pastBoot returns the boot of a day that begins at a Unix time: the nodes of
// the past booted at every midnight.
func pastBoot(midnight int64) smartmeter.BootID {
	return pastFlag | smartmeter.BootID(midnight/hour)
}
