package ledger

import (
	"github.com/iot-smart-meter/smartmeter"
)

// State is all that the past of a channel means for its future. States are
// compared with ==: where a day ends in the state that it ended in before, no
// later day changes.
type State struct {
	// Known is false until the first counter has been confirmed.
	Known bool
	// Base is the counter in force.
	Base Track
	// Waiting says that there is a candidate.
	Waiting bool
	// Open is the candidate: readings that do not follow from Base, and what
	// they would begin if they go on.
	Open Candidate
	// Declared is what a person said about the next counter.
	Declared Declaration
	// Announced is when the node last said that its meter was reset; 0 for never.
	Announced smartmeter.Instant
}

// Point is a place on a register.
type Point struct {
	At       smartmeter.Instant
	Register smartmeter.WattHour
	// Before is the power of the quarter hour that At lies in, up to At.
	Before Use
}

// Track is how far a counter has been followed.
type Track struct {
	Last  Point
	Since Use // power since Last
}

// Candidate is a counter that waits for confirmation.
type Candidate struct {
	First Point
	// High is the highest register since First.
	High  smartmeter.WattHour
	Gap   Use // power between Base.Last and First
	Since Use // power since First
}

// Declaration is a person's word that a counter begins at At.
type Declaration struct {
	At smartmeter.Instant // 0: nothing was declared
	// Start is what the counter showed at At, if StartKnown.
	Start      smartmeter.WattHour
	StartKnown bool
}

// pass adds power to what has flowed since the state's points.
func (s *State) pass(part Use) {
	if s.Known {
		s.Base.Since = s.Base.Since.plus(part)
	}
	if s.Waiting {
		s.Open.Since = s.Open.Since.plus(part)
	}
}

// belongs reports whether p goes on from the counter in force.
func (s *State) belongs(p Point) bool {
	if !s.Known || s.Declared.At != 0 {
		return false
	}
	used := p.Register - s.Base.Last.Register
	switch {
	case s.announced(p, s.Base.Since) || s.Waiting && s.openFitsBetter(p):
		return false
	case used < 0:
		return used >= -registerStep
	default:
		return used <= vouched(s.Base.Since, p.At-s.Base.Last.At)
	}
}

// openFitsBetter decides for small registers, where a reset counter soon shows
// as much as before: the power tells which of the two it is.
func (s *State) openFitsBetter(p Point) bool {
	if !s.openIsLower() || !s.goesOn(p) {
		return false
	}
	asBase := s.Base.Since.misses(p.Register - s.Base.Last.Register)
	asOpen := s.Open.Since.misses(p.Register - s.Open.First.Register)
	return asOpen < asBase
}

// announced reports whether p is the register that the node's word was about:
// soon before or after it, and nearer to what was used since than to what would
// have been added to the counter in force.
func (s *State) announced(p Point, since Use) bool {
	soon := s.Announced != 0 && max(p.At-s.Announced, s.Announced-p.At) <= announcedFor
	return s.Known && soon && since.misses(p.Register) < since.misses(p.Register-s.Base.Last.Register)
}

// goesOn reports whether p goes on from the candidate.
func (s *State) goesOn(p Point) bool {
	o := &s.Open
	length := p.At - o.First.At
	return s.Waiting && p.Register >= o.High-registerStep &&
		p.Register-o.First.Register <= plausible(o.Since, length)
}

// confirmed reports whether the candidate has proved itself by now.
func (s *State) confirmed(now smartmeter.Instant) bool {
	held := now - s.Open.First.At
	moved := s.Open.High - s.Open.First.Register
	lower := s.Known && s.openIsLower()
	switch {
	case s.announced(s.Open.First, s.Open.Gap):
		return true
	case held < holdsFor:
		return false
	case s.Declared.At != 0:
		return true
	case lower && moved == 0:
		return false
	default:
		return held >= lagsFor || moved >= expected(s.Open.Since)
	}
}

func (s *State) openIsLower() bool {
	return s.Open.First.Register < s.Base.Last.Register
}
