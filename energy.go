package smartmeter

// EnergyQuality says how well energy is known: the set of all that contributed
// to it. The empty set means that nothing is known, which is not 0 Wh.
type EnergyQuality uint8

// The qualities, from the best to what needs most attention.
const (
	// EnergyMeasured: between register readings close to each other.
	EnergyMeasured EnergyQuality = 1 << iota
	// EnergyInterpolated: the register bridged a gap, so the sum is right and
	// its place in time is estimated.
	EnergyInterpolated
	// EnergyResetBoundary: the register began anew; what was used just before
	// that is not in it.
	EnergyResetBoundary
	// EnergyCorrected: a person has decided.
	EnergyCorrected
	// EnergyQuarantined: there is more on the register than can be true. It is
	// not counted until a person decides.
	EnergyQuarantined
)

// Worst returns the one quality of the set that needs most attention.
func (q EnergyQuality) Worst() EnergyQuality {
	for one := EnergyQuarantined; one > 0; one >>= 1 {
		if q&one != 0 {
			return one
		}
	}
	return 0
}

// String names the worst quality of the set, "absent" for the empty one.
func (q EnergyQuality) String() string {
	switch q.Worst() {
	case EnergyMeasured:
		return "measured"
	case EnergyInterpolated:
		return "interpolated"
	case EnergyResetBoundary:
		return "reset-boundary"
	case EnergyCorrected:
		return "corrected"
	case EnergyQuarantined:
		return "quarantined"
	default:
		return "absent"
	}
}

// EnergyBucket is the energy between two instants.
type EnergyBucket struct {
	From, To Instant // From <= t < To
	Energy   WattHour
	Quality  EnergyQuality
	// Missing is for how long nothing is known at all.
	Missing Millis
}

// Correction is an entry in the journal of what people decided about energy.
// Entries are never changed or removed; an undo is an entry, too.
type Correction struct {
	// ID is unique in the journal; the later of two has the greater (Made, ID).
	ID   string
	Made Instant
	By   string
	Why  string
	Kind CorrectionKind

	// Node and Channel say whose energy; of no meaning for CorrectUndo.
	Node    NodeID
	Channel uint8
	// From is the instant that the kind speaks of, To the end of a period.
	From, To Instant
	// Energy is a period's energy, or where a new counter began.
	Energy WattHour
	// EnergyKnown is false where Energy says nothing.
	EnergyKnown bool
	// Device is whom CorrectBind binds.
	Device DeviceID
	// Target is the ID of the entry that CorrectUndo undoes.
	Target string
}

// CorrectionKind says what a correction does.
type CorrectionKind string

// The kinds of corrections.
const (
	// CorrectAccept counts the quarantined energy that was found at From.
	CorrectAccept CorrectionKind = "accept"
	// CorrectDiscard leaves it uncounted for good.
	CorrectDiscard CorrectionKind = "discard"
	// CorrectSet says how much Energy was used in From <= t < To, both at
	// quarter hours.
	CorrectSet CorrectionKind = "set"
	// CorrectReset says that the register began again at 0 at From.
	CorrectReset CorrectionKind = "reset"
	// CorrectReplace says that the meter was replaced at From; Energy is what
	// the new one showed then, if known.
	CorrectReplace CorrectionKind = "replace"
	// CorrectBind gives the channel to Device from From on.
	CorrectBind CorrectionKind = "bind"
	// CorrectUndo takes Target back.
	CorrectUndo CorrectionKind = "undo"
)
