package nodehost

import (
	"slices"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// drain is how the backlog comes home.
type drain struct {
	samples   int           // sent as backlog since the hub is back
	perSecond map[int64]int // and when
	lateness  time.Duration // the worst of a live sample beside the backlog
	lives     int           // those
}

// live takes a live sample as it arrives.
func (d *drain) live(p *plug, s *smartmeter.Sample) {
	w := p.week
	if w.back == 0 {
		return
	}
	if p.linked == 0 { // its broker lived on, and it says nothing about that
		p.begin()
	}
	if p.settled != 0 {
		return
	}
	d.lives++
	late := time.Since(p.measured[sampleID{s.Boot, s.Seq}].at)
	d.lateness = max(d.lateness, late)
	if late > time.Second {
		w.fail(p, "live sample %d came %v late, beside the backlog", s.Seq, late)
	}
}

// begin notes what the hub is owed.
func (p *plug) begin() {
	p.linked = p.week.agenda.Now()
	_, p.owed = p.kept.Bounds()
}

// backlog counts samples that arrive as backlog.
func (d *drain) backlog(p *plug, samples int) {
	w := p.week
	if w.back == 0 {
		return
	}
	if d.perSecond == nil {
		d.perSecond = make(map[int64]int)
	}
	d.samples += samples
	d.perSecond[int64((w.agenda.Now()-w.back)/time.Second)] += samples
}

// rate is how many samples of backlog came in a second, in the ten seconds in
// which most did.
func (d *drain) rate() int {
	most := 0
	for end := range d.perSecond {
		sum := 0
		for second := end - 9; second <= end; second++ {
			sum += d.perSecond[second]
		}
		most = max(most, sum/10)
	}
	return most
}

// outcome adds up what became of a household.
type outcome struct {
	whole, thinned, gone int // samples
	used, missing        smartmeter.WattHour
	ring, any            time.Duration // how long the slowest took to drain
}

// check holds what the hub has against what was measured.
func (w *week) check() {
	w.must(w.center.store.Sync(w.center.life))
	var o outcome
	for _, p := range w.plugs {
		p.checkMoves()
		stored := p.stored()
		o.addSamples(p, stored)
		o.addEnergy(p, stored)
		o.addDrain(p)
	}
	o.tell(w)
}

// tell says what the figures are, and that there are any.
func (o *outcome) tell(w *week) {
	rate := w.drain.rate()
	w.t.Logf("%d samples kept whole, %d as the register of a minute, %d had to go", o.whole, o.thinned, o.gone)
	w.t.Logf("%d Wh, of which %d are unaccounted", o.used, o.missing)
	w.t.Logf("rings drained within %v of their return, files within %v; %d samples of backlog, %d a second in the best ten seconds", o.ring, o.any, w.drain.samples, rate)
	w.t.Logf("%d live samples beside it, the worst %v late", w.drain.lives, w.drain.lateness)
	if rate < w.perSecond {
		w.t.Errorf("-week.seed=%d: the backlog came at %d samples a second, want %d", w.seed, rate, w.perSecond)
	}
	if w.minutes > 0 && o.thinned == 0 || o.gone == 0 || w.drain.lives == 0 {
		w.t.Errorf("-week.seed=%d: the week was too quiet", w.seed)
	}
}

// addDrain wants what the hub was owed to be there, and a ring's within a minute.
func (o *outcome) addDrain(p *plug) {
	if p.settled == 0 {
		p.week.fail(p, "the hub never got all that it was owed")
		return
	}
	took := p.settled - p.linked
	o.any = max(o.any, took)
	if p.disk != nil || p.Minutes != 0 {
		return
	}
	o.ring = max(o.ring, took)
	if took >= time.Minute {
		p.week.fail(p, "took %v to drain", took)
	}
}

// stored reads all that the hub has of a plug.
func (p *plug) stored() []smartmeter.Reading {
	h, life := p.week.center.hub, p.week.center.life
	var all []smartmeter.Reading
	for from := smartmeter.Instant(1); from != 0; {
		page, err := h.Readings(life, p.device(), from, smartmeter.InstantOf(time.Now())+1, 10_000)
		p.week.must(err)
		all = append(all, page.Readings...)
		from = page.Next
	}
	return all
}

// addSamples wants every sample that the node still had at the hub's return,
// once, when and as it was measured.
func (o *outcome) addSamples(p *plug, stored []smartmeter.Reading) {
	found := make(map[sampleID]bool, len(stored))
	for i := range stored {
		r := &stored[i]
		id := sampleID{r.Boot, r.Seq}
		m, known := p.measured[id]
		late := r.At - smartmeter.InstantOf(m.at)
		switch whole := r.Measurement == m.Measurement; {
		case !known:
			p.week.fail(p, "nobody measured %+v", r)
		case found[id]:
			p.week.fail(p, "%+v is there twice", r)
		case whole && max(late, -late) > p.skew(m):
			p.week.fail(p, "%+v was measured at %v", r, m.at)
		case whole:
			o.whole++
		case r.Has != smartmeter.Energy || r.Energy != m.Energy || max(late, -late) > 60_000+p.skew(m):
			p.week.fail(p, "%+v was measured as %+v", r, m)
		default:
			o.thinned++
		}
		found[id] = true
	}
	for id, m := range p.measured {
		if found[id] {
			continue
		}
		o.gone++
		if !p.mayHaveLost(m) {
			p.week.fail(p, "sample %+v is missing", m)
		}
	}
}

// skew is by how much the hub may mistake the time of a sample, in ms: it is on
// the node's clock, which the hub knows when it is back.
func (p *plug) skew(m measured) smartmeter.Instant {
	age := max(p.week.back-m.at.Sub(p.began()), 0) + 10*time.Minute
	return smartmeter.Instant((time.Second + age/1_000_000*mostDrift).Milliseconds())
}

// tornAway is what a power cut may take of a file: a minute in memory, and
// half of one in the kernel.
const tornAway = 95 * time.Second

// mayHaveLost reports whether the hub need not have a sample: a power cut took
// it, it had to make room in a ring, or it is on its way.
func (p *plug) mayHaveLost(m measured) bool {
	at := m.at.Sub(p.began())
	if p.week.agenda.Now()-at < 2*time.Second {
		return true
	}
	for _, cut := range p.cuts {
		if at <= cut && (p.disk == nil && at > p.week.died-time.Minute || at > cut-tornAway) {
			return true
		}
	}
	ring := p.linked - (node.Kept-1)*ringInterval + time.Second
	return p.disk == nil && at > p.week.died-time.Minute && at < ring
}

// began is when the agenda did.
func (p *plug) began() time.Time { return time.Now().Add(-p.week.agenda.Now()) }

// addEnergy holds the ledger to the meter's register.
func (o *outcome) addEnergy(p *plug, stored []smartmeter.Reading) {
	first := slices.IndexFunc(stored, func(r smartmeter.Reading) bool { return r.Has.Has(smartmeter.Energy) })
	if first < 0 {
		p.week.fail(p, "no register was ever read")
		return
	}
	used := p.Register() - stored[first].Energy
	whole := p.energy(ledger.StepWhole)[0]
	missing := used - whole.Energy
	if missing != 0 || whole.Quality.Worst() > smartmeter.EnergyInterpolated {
		p.week.fail(p, "%d Wh were used, and the ledger says %d (%v)", used, whole.Energy, whole.Quality)
	}
	if p.disk != nil || p.Minutes != 0 {
		p.checkHours()
	}
	o.used, o.missing = o.used+used, o.missing+missing
}

// checkHours wants a bill by time of use to be right, too, where the node
// remembered when energy was used.
func (p *plug) checkHours() {
	hours := p.energy(ledger.StepHour)
	for i := 1; i < min(len(hours), len(p.hours)); i++ {
		want := p.hours[i] - p.hours[i-1]
		off := hours[i].Energy - want
		if limit := p.tolerance(i); max(off, -off) > limit {
			p.week.fail(p, "hour %d has %d Wh and the register counted %d (%v)", i, hours[i].Energy, want, hours[i].Quality)
		}
	}
}

// tolerance is by how much an hour may be wrong: by what flows between two
// samples, while clocks differ, or while the power is cut.
func (p *plug) tolerance(hour int) smartmeter.WattHour {
	const mostPower = 3680 // W
	between := time.Duration(p.Node.Metrics)*time.Millisecond + p.week.dead/1_000_000*mostDrift
	for _, cut := range p.cuts {
		if h := int(cut / time.Hour); h-1 <= hour && hour <= h+1 {
			between = tornAway + time.Minute
		}
	}
	return 2 + smartmeter.WattHour(mostPower*between/time.Hour)
}

// energy asks the hub what was used.
func (p *plug) energy(step ledger.Step) []smartmeter.EnergyBucket {
	answer, err := p.week.center.hub.Energy(p.week.center.life, hub.EnergyQuery{
		Devices: []smartmeter.DeviceID{p.device()}, Step: step, Zone: time.UTC,
		From: smartmeter.InstantOf(p.began()), To: smartmeter.InstantOf(time.Now().Add(time.Hour)),
	})
	p.week.must(err)
	return answer.Devices[0].Buckets
}

// checkMoves holds the relay to what the node does without a hub.
func (p *plug) checkMoves() {
	w := p.week
	var dead []move
	for _, m := range p.moves {
		if m.at > w.died {
			dead = append(dead, m)
		}
	}
	switch p.role {
	case leased:
		select {
		case err := <-p.ordered:
			w.must(err)
		default:
			w.fail(p, "nobody answered the order")
		}
		if len(dead) != 1 || dead[0].on || dead[0].at > w.died+10*time.Minute+time.Second {
			w.fail(p, "its lease ended with the hub's life at %v, and its relay moved %v", w.died, dead)
		}
		if !w.brokerLives && !slices.Contains(p.told, wire.NodeLeaseExpired) { // else relay/state says it
			w.fail(p, "told only %q", p.told)
		}
	case guarded:
		if len(dead) != 1 || dead[0].on || dead[0].at < p.tripAt+500*time.Millisecond || dead[0].at > p.tripAt+1100*time.Millisecond {
			w.fail(p, "too much current flowed at %v, and its relay moved %v", p.tripAt, dead)
		}
		if !slices.Contains(p.told, wire.NodeOvercurrent) {
			w.fail(p, "told only %q", p.told)
		}
	default:
		if len(p.cuts) == 0 && len(dead) > 0 {
			w.fail(p, "its relay moved %v", dead)
		}
	}
}
