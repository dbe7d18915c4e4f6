package ledger

import "github.com/iot-smart-meter/smartmeter"

// read takes a register reading: it goes on from the counter in force, or from
// the candidate, or becomes a candidate itself.
func (f *Folder) read(p Point) {
	s := f.state
	switch {
	case s.belongs(p):
		f.follow(p)
		return
	case s.goesOn(p):
		s.Open.High = max(s.Open.High, p.Register)
	default:
		f.open(p)
	}
	if s.confirmed(p.At) {
		f.begin(p)
	}
}

// follow moves the counter in force on to p. A candidate that there was has not
// been a counter.
func (f *Folder) follow(p Point) {
	s := f.state
	if first := s.Open.First; s.Waiting && first.Register > s.Base.Last.Register && p.Register >= first.Register {
		s.Waiting, s.Open = false, Candidate{} // the counter has come there itself
	}
	f.revoke()
	if p.Register < s.Base.Last.Register {
		return // rounding
	}
	f.post(spanBetween(s.Base.Last, p, s.Base.Since, p.Register-s.Base.Last.Register))
	s.Base = Track{Last: p}
}

// open makes p the candidate, in place of one that did not go on.
func (f *Folder) open(p Point) {
	f.revoke()
	s := f.state
	s.Waiting = true
	s.Open = Candidate{First: p, High: p.Register, Gap: s.Base.Since}
}

// revoke gives up the candidate, if there is one.
func (f *Folder) revoke() {
	s := f.state
	if !s.Waiting {
		return
	}
	found := Finding{Kind: Glitch, From: s.Open.First, To: s.Open.First, Count: 1}
	if s.Known {
		found.From = s.Base.Last
	}
	f.glitch(found)
	s.Waiting, s.Open = false, Candidate{}
}

// begin puts the candidate in force. p is the reading that confirmed it.
func (f *Folder) begin(p Point) {
	s := f.state
	o := s.Open
	if s.Known {
		f.bridge(o)
	} else {
		f.find(Finding{Kind: First, From: o.First, To: o.First})
	}
	p.Register = o.High
	f.post(spanBetween(o.First, p, o.Since, o.High-o.First.Register))
	*s = State{Known: true, Base: Track{Last: p}} // a word about a reset counts once
}

// bridge says what was used between the counter in force and the candidate.
func (f *Folder) bridge(o Candidate) {
	s := f.state
	last := s.Base.Last
	rise := o.First.Register - last.Register
	limit := plausible(o.Gap, o.First.At-last.At)
	switch over := rise + rollover; {
	case s.Declared.At != 0:
		f.restart(o, s.Declared)
	case s.announced(o.First, o.Gap):
		f.restart(o, Declaration{StartKnown: true})
	case rise >= 0 && rise <= limit:
		f.post(spanBetween(last, o.First, o.Gap, rise))
	case rise >= 0:
		f.find(Finding{Kind: Jump, From: last, To: o.First, Use: o.Gap, Held: rise, Reason: whyTooMuch(rise, o.First.At-last.At)})
	case over >= 0 && over <= min(limit, rollover/10):
		f.post(spanBetween(last, o.First, o.Gap, over))
		f.find(Finding{Kind: Rollover, From: last, To: o.First, Use: o.Gap})
	default:
		f.restart(o, Declaration{StartKnown: true})
	}
}

// restart says what a new counter has counted before its first reading. Where
// it began at 0 that is what it shows; but only if the power vouches for it.
func (f *Folder) restart(o Candidate, begun Declaration) {
	last := f.state.Base.Last
	length := o.First.At - last.At
	found := Finding{Kind: Reset, From: last, To: o.First, Use: o.Gap}
	used := o.First.Register - begun.Start
	if begun.Start != 0 {
		found.Kind = Replaced
	}
	switch {
	case !begun.StartKnown || used < 0 || used > plausible(o.Gap, length):
		found.Kind, used = Replaced, 0
	case used > vouched(o.Gap, length) && !f.state.announced(o.First, o.Gap):
		found.Held, found.Reason, used = used, UnknownStart, 0
	}
	boundary := spanBetween(last, o.First, o.Gap, used)
	boundary.Quality = smartmeter.EnergyResetBoundary
	f.post(boundary)
	f.find(found)
}

func whyTooMuch(rise smartmeter.WattHour, length smartmeter.Instant) Reason {
	if rise > possible(length) {
		return TooFast
	}
	return AgainstPower
}
