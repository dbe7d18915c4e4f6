package chunk

import (
	"encoding/binary"
	"slices"
)

// mode is the way in which a column is predicted. It is kept as one byte, the
// model times 16 plus the shift; for the times, the step follows as a uvarint.
type mode struct {
	model byte
	shift uint  // a prediction follows by 1/2^shift of what it missed
	step  int64 // milliseconds between samples
}

// The models.
const (
	fromPast    = 0 // from the column's own past
	fromColumns = 1 // from other columns, too
)

// maxShift is the slowest that a prediction may follow. A grid of times with
// this shift stands still.
const maxShift = 15

// ways returns all ways in which it is worth trying to pack a column.
func (t *table) ways(k column) []mode {
	var all []mode
	switch k {
	case colTime:
		step := t.usualStep()
		for _, shift := range []uint{0, 2, 4, maxShift} {
			all = append(all, mode{shift: shift, step: step})
		}
	case colVoltage, colPower, colCurrent, colFrequency:
		for shift := range uint(5) {
			all = append(all, mode{shift: shift})
			if inputs[k] != 0 {
				all = append(all, mode{model: fromColumns, shift: shift})
			}
		}
	case colPowerFactor, colEnergy:
		all = []mode{{}, {model: fromColumns}}
	default:
		all = []mode{{}}
	}
	return all
}

// usualStep returns the median distance between readings.
func (t *table) usualStep() int64 {
	at := t.col[colTime]
	if len(at) < 2 {
		return 0
	}
	apart := make([]int64, len(at)-1)
	for i := range apart {
		apart[i] = at[i+1] - at[i]
	}
	slices.Sort(apart)
	return apart[len(apart)/2]
}

// append appends m as the mode of column k.
func (m mode) append(p []byte, k column) []byte {
	p = append(p, m.model<<4|byte(m.shift))
	if k == colTime {
		p = binary.AppendUvarint(p, uint64(m.step))
	}
	return p
}

// mode reads what append has appended.
func (r *reader) mode(k column) mode {
	b := r.byte()
	m := mode{model: b >> 4, shift: uint(b & 15)}
	if k == colTime {
		m.step = int64(r.length(dayMillis))
	}
	if m.model > fromColumns || m.model == fromColumns && inputs[k] == 0 {
		r.failed = true
	}
	return m
}

// inputs are the columns that fromColumns needs, none where there is no such
// model.
var inputs = [columns]columnSet{
	colPower:       1 << colVoltage,
	colCurrent:     1<<colVoltage | 1<<colPower,
	colPowerFactor: 1<<colVoltage | 1<<colPower | 1<<colCurrent,
	colEnergy:      1 << colPower,
}

// needs returns the columns that must be known before column k.
func (m mode) needs(k column) columnSet {
	if m.model == fromColumns {
		return inputs[k]
	}
	return 0
}
