package ledger

import "github.com/iot-smart-meter/smartmeter"

// Finding is something about a counter that a person may want to know, or has
// to decide. To.At identifies it within its channel, as corrections do.
type Finding struct {
	Kind FindingKind
	// From is the last point of the counter before, To the first one after. For
	// Glitch, To is the first of the readings that were not believed.
	From, To Point
	// Use is the power between them. After a reset, its integral is the best
	// guess of what is missing.
	Use Use
	// Held is the energy that waits for a person's decision; 0 for none.
	Held   smartmeter.WattHour
	Reason Reason // why it is held
	// Count is the number of glitches in a row within the quarter hour.
	Count int
}

// FindingKind says what was found.
type FindingKind uint8

// The kinds of findings. All but Jump and Glitch begin an epoch.
const (
	// First: the channel's first counter.
	First FindingKind = iota + 1
	// Reset: the register began again at 0.
	Reset
	// Rollover: it began again at 0 because it was full.
	Rollover
	// Replaced: it is another counter.
	Replaced
	// Jump: it shows more than can have been used.
	Jump
	// Glitch: readings that nothing before and after agrees with.
	Glitch
)

// String names the kind in the words of the API.
func (k FindingKind) String() string {
	switch k {
	case First:
		return "first"
	case Reset:
		return "reset"
	case Rollover:
		return "rollover"
	case Replaced:
		return "replaced"
	case Jump:
		return "jump"
	case Glitch:
		return "glitch"
	default:
		return "unknown"
	}
}

// Reason says why energy is held.
type Reason uint8

// The reasons.
const (
	// TooFast: not even 26 kW all the time would have sufficed.
	TooFast Reason = iota + 1
	// AgainstPower: the samples of power say that it was less.
	AgainstPower
	// UnknownStart: the register began again, and what it shows may have been
	// used since, or not.
	UnknownStart
)

// String says the reason to a person.
func (r Reason) String() string {
	switch r {
	case TooFast:
		return "more than 26 kW could have used in the time"
	case AgainstPower:
		return "more than the measured power accounts for"
	case UnknownStart:
		return "shown after the register began again; nothing tells where it began"
	default:
		return ""
	}
}

// Epochs returns the findings at which a channel's counters began, in order.
func Epochs(days []Day) []Finding {
	var epochs []Finding
	for i := range days {
		for _, f := range days[i].Findings {
			if f.Kind != Jump && f.Kind != Glitch {
				epochs = append(epochs, f)
			}
		}
	}
	return epochs
}

func (f *Folder) find(found Finding) { f.day.Findings = append(f.day.Findings, found) }

// glitch adds a glitch; those of a quarter hour are one finding.
func (f *Folder) glitch(found Finding) {
	if n := len(f.day.Findings); n > 0 {
		last := &f.day.Findings[n-1]
		if last.Kind == Glitch && quarterOf(last.To.At) == quarterOf(found.To.At) {
			last.Count += found.Count
			return
		}
	}
	f.find(found)
}
