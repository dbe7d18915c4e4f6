package alert

import "github.com/iot-smart-meter/smartmeter"

// Verdict is what a sample brought to light.
type Verdict uint8

// The verdicts.
const (
	Nothing Verdict = iota
	Welded          // off for long, and the load draws on
	Opens           // an OFF took the watts away: the contact is not welded, or not any more
	Dead            // on for long, and the load draws nothing
	Alive           // the load draws
)

// Relay is what was seen of one relay since it moved last. The zero value has
// seen nothing.
type Relay struct {
	state smartmeter.RelayState
	// switched says that the relay was seen to go on: what draws nothing from
	// then on draws nothing although somebody wants it to.
	switched bool
	// drew says that the load was drawing, in the last sample while the relay was
	// on; drawn, that it was when the relay went off.
	drew, drawn bool
	run         run
}

// run is a row of samples that say the same.
type run struct {
	first smartmeter.Instant
	count int
	over  bool // its verdict is given
}

// add takes one more sample into a row and reports, once, that it has lasted.
func (r *run) add(at, lasting smartmeter.Instant) bool {
	if r.count == 0 {
		r.first = at
	}
	r.count++
	if r.over || r.count < leastProofs || at-r.first < lasting {
		return false
	}
	r.over = true
	return true
}

// Moved tells where the relay is now, as its node says; also when it is there
// already.
func (r *Relay) Moved(to smartmeter.RelayState) {
	if r.state == to {
		return
	}
	*r = Relay{
		state:    to,
		switched: r.state == smartmeter.RelayOff && to == smartmeter.RelayOn,
		drawn:    r.state == smartmeter.RelayOn && to == smartmeter.RelayOff && r.drew,
	}
}

// Pause tells that there may be a gap in what is seen from here on: the node
// was away, or its meter silent.
func (r *Relay) Pause() {
	r.run, r.drew, r.drawn = run{}, false, false
}

// See takes a fresh sample of a kind of load, later than the one before.
func (r *Relay) See(at smartmeter.Instant, power smartmeter.Deciwatt, kind smartmeter.LoadKind) Verdict {
	switch r.state {
	case smartmeter.RelayOff:
		return r.seeOff(at, power >= loadOf(kind).drawing)
	case smartmeter.RelayOn:
		r.drew = power >= loadOf(kind).drawing
		return r.seeOn(at, power > nothing, loadOf(kind).idles)
	default:
		return Nothing
	}
}

func (r *Relay) seeOff(at smartmeter.Instant, draws bool) Verdict {
	if draws {
		welded := r.run.add(at, patience)
		if r.run.count >= leastProofs {
			r.drawn = false // if it stops now, that may be the load's own doing
		}
		if welded {
			return Welded
		}
		return Nothing
	}
	r.run = run{}
	if r.drawn {
		r.drawn = false
		return Opens
	}
	return Nothing
}

func (r *Relay) seeOn(at smartmeter.Instant, draws bool, idles smartmeter.Instant) Verdict {
	switch {
	case draws:
		first := r.run.over || r.switched
		r.run, r.switched = run{}, false
		if first {
			return Alive
		}
	case idles == 0 || idles == patience && !r.switched:
		// whether it idles or is dead nobody can tell
	case r.run.add(at, idles):
		return Dead
	}
	return Nothing
}
