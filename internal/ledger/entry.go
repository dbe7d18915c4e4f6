package ledger

import (
	"cmp"
	"slices"

	"github.com/iot-smart-meter/smartmeter"
)

// Entry is one line of what a ledger is made from: what a meter said at an
// instant, or what somebody said about the meter.
type Entry struct {
	At   smartmeter.Instant
	Kind EntryKind
	// Boot and Seq order samples of the same millisecond.
	Boot smartmeter.BootID
	Seq  uint32

	// HasPower and HasRegister tell which of the values there are.
	HasPower, HasRegister bool
	// Power is what flows in the direction that the register counts; less than
	// nothing is nothing. For an export register the caller turns the sign.
	Power smartmeter.Deciwatt
	// Register is the counter. Of a Declared entry it is what the new counter
	// showed at the time.
	Register smartmeter.WattHour
}

// EntryKind says who speaks.
type EntryKind uint8

// The kinds of entries, in the order in which those of one millisecond count.
const (
	// Declared: a person says that a counter began here.
	Declared EntryKind = iota
	// Announced: the node says that its meter was reset.
	Announced
	// Sampled: the meter was read.
	Sampled
)

// maxRegister is far above what any meter of ours reaches in its life (26 kW
// for four centuries) and keeps all arithmetic within 64 bits.
const maxRegister smartmeter.WattHour = 100_000_000_000

// EntryOf returns what a reading says about imported energy, and whether it
// says anything. Garbled quantities say nothing.
func EntryOf(r *smartmeter.Reading) (Entry, bool) {
	has := r.Has &^ r.Implausible()
	e := Entry{At: r.At, Kind: Sampled, Boot: r.Boot, Seq: r.Seq}
	if has.Has(smartmeter.Power) {
		e.HasPower, e.Power = true, r.Power
	}
	if has.Has(smartmeter.Energy) && r.Energy <= maxRegister {
		e.HasRegister, e.Register = true, r.Energy
	}
	return e, e.HasPower || e.HasRegister
}

// Compare orders entries by time. Ties are broken by all else that an entry
// has, so that there is one order for every set.
func (e Entry) Compare(o Entry) int {
	return cmp.Or(
		cmp.Compare(e.At, o.At),
		cmp.Compare(e.Kind, o.Kind),
		cmp.Compare(e.Boot, o.Boot),
		cmp.Compare(e.Seq, o.Seq),
		cmp.Compare(bit(e.HasRegister), bit(o.HasRegister)),
		cmp.Compare(e.Register, o.Register),
		cmp.Compare(bit(e.HasPower), bit(o.HasPower)),
		cmp.Compare(e.Power, o.Power),
	)
}

// sorted returns each entry once, in order, and leaves entries as they are.
func sorted(entries []Entry) []Entry {
	if slices.IsSortedFunc(entries, Entry.Compare) {
		return entries
	}
	own := slices.Clone(entries)
	slices.SortFunc(own, Entry.Compare)
	return own
}

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}
