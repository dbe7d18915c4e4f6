package ledger

import (
	"cmp"
	"math"
	"slices"

	"github.com/iot-smart-meter/smartmeter"
)

// Forever is the end of what has not ended.
const Forever = smartmeter.Instant(math.MaxInt64)

// Effective returns the entries of a journal that are in force, in the order in
// which they were made: without undos and what they undo. An undo can be undone.
func Effective(journal []smartmeter.Correction) []smartmeter.Correction {
	all := slices.Clone(journal)
	slices.SortFunc(all, func(a, b smartmeter.Correction) int {
		return cmp.Or(cmp.Compare(a.Made, b.Made), cmp.Compare(a.ID, b.ID))
	})
	undone := map[string]bool{}
	for _, c := range slices.Backward(all) {
		if c.Kind == smartmeter.CorrectUndo && !undone[c.ID] {
			undone[c.Target] = true
		}
	}
	return slices.DeleteFunc(all, func(c smartmeter.Correction) bool {
		return c.Kind == smartmeter.CorrectUndo || undone[c.ID]
	})
}

// OfChannel returns the entries of a journal about a channel, with the undos.
func OfChannel(journal []smartmeter.Correction, node smartmeter.NodeID, channel uint8) []smartmeter.Correction {
	return slices.DeleteFunc(slices.Clone(journal), func(c smartmeter.Correction) bool {
		return c.Kind != smartmeter.CorrectUndo && (c.Node != node || c.Channel != channel)
	})
}

// Declarations returns what a channel's journal says about its counters, for
// Fold: an undo changes the days they lie in, and Update tells which others.
func Declarations(journal []smartmeter.Correction) []Entry {
	var entries []Entry
	for _, c := range Effective(journal) {
		switch c.Kind {
		case smartmeter.CorrectReset:
			entries = append(entries, Entry{At: c.From, Kind: Declared, HasRegister: true})
		case smartmeter.CorrectReplace:
			entries = append(entries, Entry{At: c.From, Kind: Declared, HasRegister: c.EnergyKnown, Register: c.Energy})
		}
	}
	return entries
}

// Binding says that a channel measured a device from From until before To. The
// quarter hour in which it changes goes to whom it has at its end.
type Binding struct {
	Device   smartmeter.DeviceID
	Node     smartmeter.NodeID
	Channel  uint8
	From, To smartmeter.Instant
}

// Bindings returns what measured which device when, in the order of From, after
// all that a journal says. first is how it began; its times are not looked at. A
// channel has one device at a time, and a device one channel: the later entry
// ends what was before.
func Bindings(first []Binding, journal []smartmeter.Correction) []Binding {
	binds := slices.DeleteFunc(Effective(journal), func(c smartmeter.Correction) bool {
		return c.Kind != smartmeter.CorrectBind
	})
	slices.SortStableFunc(binds, func(a, b smartmeter.Correction) int { return cmp.Compare(a.From, b.From) })
	var all []Binding
	for _, b := range first {
		b.From, b.To = math.MinInt64, Forever
		all = append(all, b)
	}
	for _, c := range binds {
		next := Binding{Device: c.Device, Node: c.Node, Channel: c.Channel, From: c.From, To: Forever}
		for i := range all {
			if b := &all[i]; b.To == Forever && (b.Device == next.Device || b.Node == next.Node && b.Channel == next.Channel) {
				b.To = next.From
			}
		}
		all = append(all, next)
	}
	return slices.DeleteFunc(all, func(b Binding) bool { return b.From >= b.To })
}

// Check tells what is wrong with a correction that is to enter a journal, as an
// *smartmeter.Error with the field, or returns nil.
func Check(journal []smartmeter.Correction, c smartmeter.Correction) error {
	invalid := func(field, message string) error {
		return smartmeter.NewError(smartmeter.Invalid, field, message)
	}
	switch {
	case c.ID == "" || slices.ContainsFunc(journal, func(o smartmeter.Correction) bool { return o.ID == c.ID }):
		return invalid("id", "must be there, and no other entry may have it")
	case c.By == "" || c.Why == "":
		return invalid("why", "say who decided, and why; somebody will want to know in a year")
	case c.Energy < 0 || c.Energy > maxRegister:
		return invalid("energy", "must be between 0 and 100 GWh")
	}
	switch c.Kind {
	case smartmeter.CorrectAccept, smartmeter.CorrectDiscard, smartmeter.CorrectReset, smartmeter.CorrectReplace:
		if c.From == 0 {
			return invalid("from", "say when: the time of the finding, or of the new counter's beginning")
		}
	case smartmeter.CorrectSet:
		if c.From%quarterMillis != 0 || c.To%quarterMillis != 0 || c.From >= c.To || c.To-c.From > longestSet {
			return invalid("to", "a period begins and ends at quarter hours, in this order, and has at most 400 days")
		}
	case smartmeter.CorrectBind:
		if c.Device == "" {
			return invalid("device", "say which device is bound to the channel")
		}
	case smartmeter.CorrectUndo:
		return checkUndo(journal, c)
	default:
		return invalid("kind", "must be accept, discard, set, reset, replace, bind or undo")
	}
	return nil
}

// longestSet bounds a corrected period.
const longestSet = 400 * dayMillis

func checkUndo(journal []smartmeter.Correction, c smartmeter.Correction) error {
	i := slices.IndexFunc(journal, func(o smartmeter.Correction) bool { return o.ID == c.Target })
	if i < 0 {
		return smartmeter.NewError(smartmeter.NotFound, "target", "there is no such entry in the journal")
	}
	if o := journal[i]; o.Made > c.Made || o.Made == c.Made && o.ID >= c.ID {
		return smartmeter.NewError(smartmeter.Invalid, "target", "an entry can only undo one that was made before it")
	}
	return nil
}
