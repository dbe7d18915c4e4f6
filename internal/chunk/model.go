package chunk

import (
	"encoding/binary"
	"slices"

	"github.com/iot-smart-meter/smartmeter"
)

// What the first byte of a chunk's header after the magic may be.
const (
	codecColumns = 1
	schemaPZEM   = 1
)

// mode is the way in which a column is predicted. It is kept as one byte, the
// model times 16 plus the shift, and for the times the step as a uvarint.
type mode struct {
	model byte
	shift uint  // how slowly a prediction follows: by 1/2^shift of what it missed
	step  int64 // milliseconds between samples
}

const (
	fromPast    = 0 // from the column's own past
	fromColumns = 1 // from other columns, too
	maxShift    = 4
)

func ways(k column) []mode {
	all := []mode{{shift: 0}, {shift: 1}, {shift: 2}, {shift: 3}, {shift: 4}}
	switch k {
	case colTime, colVoltage, colPower, colFrequency:
		return all
	case colCurrent:
		for _, m := range all {
			m.model = fromColumns
			all = append(all, m)
		}
		return all
	case colPowerFactor, colEnergy:
		return []mode{{}, {model: fromColumns}}
	default:
		return []mode{{}}
	}
}

// append appends m as the mode of a column.
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
	if m.shift > maxShift || m.model > fromColumns || m.model == fromColumns && m.needs(k) == 0 {
		r.failed = true
	}
	return m
}

// needs returns the columns that one is predicted from.
func (m mode) needs(k column) columnSet {
	if m.model != fromColumns {
		return 0
	}
	switch k {
	case colCurrent:
		return 1<<colVoltage | 1<<colPower
	case colPowerFactor:
		return 1<<colVoltage | 1<<colPower | 1<<colCurrent
	case colEnergy:
		return 1 << colPower
	default:
		return 0
	}
}

// walk takes c along a column, in the way m.
func (t *table) walk(c *coder, k column, m mode) {
	switch {
	case k == colSeq:
		t.sequence(c)
	case k == colTime:
		t.times(c, m.step, m.shift)
	case k.quantity() == 0:
		t.plain(c, k)
	case m.model == fromPast:
		t.smooth(c, k, m.shift)
	case k == colCurrent:
		t.current(c, m.shift)
	case k == colPowerFactor:
		t.powerFactor(c)
	case k == colEnergy:
		t.energy(c)
	}
}

// usualStep returns the median distance of the readings, 0 for other columns than
// the times.
func (t *table) usualStep(k column) int64 {
	if k != colTime || t.n < 2 {
		return 0
	}
	var apart []int64
	for i := 1; i < t.n; i++ {
		apart = append(apart, t.col[colTime][i]-t.col[colTime][i-1])
	}
	slices.Sort(apart)
	return apart[len(apart)/2]
}

// plain predicts that a value stays as it was.
func (t *table) plain(c *coder, k column) {
	col, before := t.col[k], int64(0)
	for i := range col {
		before = c.code(before, col[i])
		col[i] = before
	}
}

// sequence predicts that a node which numbers its samples adds one.
func (t *table) sequence(c *coder) {
	seq, boot := t.col[colSeq], t.col[colBoot]
	before := int64(0)
	for i := range seq {
		if boot[i] != 0 {
			before++
		}
		before = c.code(before, seq[i])
		seq[i] = before
	}
}

// times predicts the next point of the grid on which the node samples.
func (t *table) times(c *coder, step int64, shift uint) {
	at, seq := t.col[colTime], t.col[colSeq]
	grid, before, apart := int64(0), int64(0), int64(0)
	for i := range at {
		steps := int64(1)
		if i > 0 {
			if s := seq[i] - seq[i-1]; s > 1 && s < 1<<16 {
				steps = s
			}
		}
		grid += step * steps << 8
		predicted := (grid + 128) >> 8
		x := c.code(predicted, at[i])
		at[i] = x
		if c.jumped {
			grid = x << 8
		} else {
			grid += (x<<8 - grid) >> shift
		}
		last := apart
		apart = (x - before) / steps
		if off(apart, step, step) && !off(apart, last, step) && apart > 0 {
			step = apart
		}
		before = x
	}
}

func off(a, b, step int64) bool {
	d := a - b
	return max(d, -d) > step>>3
}

// smooth predicts the smoothed past of a value.
func (t *table) smooth(c *coder, k column, shift uint) {
	col, has, q := t.col[k], t.col[colHas], int64(k.quantity())
	s, x := int64(0), int64(0)
	for i := range col {
		if has[i]&q != 0 {
			x = c.code((s+128)>>8, col[i])
			if c.jumped {
				s = x << 8
			} else {
				s += (x<<8 - s) >> shift
			}
		}
		col[i] = x
	}
}

// current predicts I = P / (V * PF)
func (t *table) current(c *coder, shift uint) {
	cur, p, v, has := t.col[colCurrent], t.col[colPower], t.col[colVoltage], t.col[colHas]
	r, x := int64(0), int64(0)
	for i := range cur {
		if has[i]&int64(smartmeter.Current) != 0 {
			predicted := x
			usable := p[i] > 0 && v[i] > 0
			if usable && r != 0 {
				predicted = (p[i]*r/v[i] + 1<<11) >> 12
			}
			x = c.code(predicted, cur[i])
			if usable {
				now := x * v[i] << 12 / p[i]
				if c.jumped || r == 0 {
					r = now
				} else {
					r += (now - r) >> shift
				}
			}
		}
		cur[i] = x
	}
}

func (t *table) powerFactor(c *coder) {
	pf, cur, p, v, has := t.col[colPowerFactor], t.col[colCurrent], t.col[colPower], t.col[colVoltage], t.col[colHas]
	x := int64(0)
	for i := range pf {
		if has[i]&int64(smartmeter.PowerFactor) != 0 {
			predicted := x
			if s := v[i] * cur[i]; s > 0 {
				predicted = (p[i]*100_000 + s/2) / s
			} else if s == 0 {
				predicted = 0
			}
			x = c.code(predicted, pf[i])
		}
		pf[i] = x
	}
}

const perWattHour = 36_000_000 // dW*ms

func (t *table) energy(c *coder) {
	e, p, at, has := t.col[colEnergy], t.col[colPower], t.col[colTime], t.col[colHas]
	x, rest := int64(0), int64(perWattHour/2)
	for i := range e {
		if i > 0 {
			rest += (p[i] + p[i-1]) * (at[i] - at[i-1]) / 2
		}
		if has[i]&int64(smartmeter.Energy) != 0 {
			if uint64(rest) >= perWattHour {
				more := rest / perWattHour
				x += more
				rest -= more * perWattHour
			}
			predicted := x
			x = c.code(predicted, e[i])
			if x > predicted {
				rest = 0
			} else if x < predicted {
				rest = perWattHour - 1
			}
		}
		e[i] = x
	}
}
