package chunk

import "github.com/iot-smart-meter/smartmeter"

// The models. Each walks along a column and lets the coder take down, or give
// back, every value, with a prediction made from nothing but what a reader
// already knows by then. All arithmetic is of 64-bit integers that wrap around
// and divisions that round towards zero: a prediction may be nonsense, but it
// is the same nonsense on every machine.

// walk takes d along column k in the way m.
func (t *table) walk(d differences, k column, m mode) {
	switch {
	case k == colSeq:
		t.sequence(d)
	case k == colTime:
		t.times(d, m)
	case k.quantity() == 0:
		t.plain(d, k)
	case m.model == fromPast:
		t.smooth(d, k, m.shift)
	case k == colPowerFactor:
		t.powerFactor(d)
	case k == colEnergy:
		t.energy(d)
	default:
		t.proportional(d, k, m.shift)
	}
}

// plain predicts that a value stays as it was.
func (t *table) plain(d differences, k column) {
	col, x := t.col[k], int64(0)
	for i := range col {
		x = d.code(i, x, col[i])
		col[i] = x
	}
}

// sequence predicts that a node which numbers its samples adds one.
func (t *table) sequence(d differences) {
	seq := t.col[colSeq]
	boot := t.col[colBoot][:len(seq)]
	x := int64(0)
	for i := range seq {
		if boot[i] != 0 {
			x++
		}
		x = d.code(i, x, seq[i])
		seq[i] = x
	}
}

// times predicts the next point of the grid on which the node samples: one step
// for each number of the sequence.
func (t *table) times(d differences, m mode) {
	at := t.col[colTime]
	seq, boot := t.col[colSeq][:len(at)], t.col[colBoot][:len(at)]
	g := grid{step: m.step}
	for i := range at {
		steps := int64(1)
		if i > 0 && boot[i] == boot[i-1] && seq[i] > seq[i-1] {
			steps = seq[i] - seq[i-1]
		}
		g.level += g.step * steps << 8
		x := d.code(i, nearest(g.level), at[i])
		g = g.after(x, steps, m.shift)
		at[i] = x
	}
}

// nearest returns a level, which counts in 256ths, as a whole number.
func nearest(level int64) int64 { return (level + 128) >> 8 }

// grid is where samples are expected.
type grid struct {
	step  int64
	level int64 // the point in 256ths of a millisecond
	last  int64 // the time before
	apart int64 // its distance from the one before it, per step
}

// after lets the grid follow a sample that was taken at the given time, so many
// steps after the one before: far off, it begins anew there; and twice the same
// new distance is a new step.
func (g grid) after(at, steps int64, shift uint) grid {
	if missed := at - nearest(g.level); 2*abs(missed) > g.step {
		g.level = at << 8
	} else {
		g.level += (at<<8 - g.level) >> (shift & maxShift)
	}
	apart := at - g.last
	if steps > 1 {
		apart /= steps
	}
	if apart > 0 && 8*abs(apart-g.step) > g.step && 8*abs(apart-g.apart) <= g.step {
		g.step = apart
	}
	g.last, g.apart = at, apart
	return g
}

func abs(x int64) int64 { return max(x, -x) }

// smooth predicts the smoothed past.
func (t *table) smooth(d differences, k column, shift uint) {
	col, q := t.col[k], int64(k.quantity())
	has := t.col[colHas][:len(col)]
	level, restless, x, next := int64(0), uint64(0), int64(0), 0
	for i := range col {
		if has[i]&q != 0 {
			predicted := nearest(level)
			x = d.code(next, predicted, col[i])
			level, restless = follow(level, restless, x<<8, x-predicted, shift)
			next++
		}
		col[i] = x
	}
}

// follow returns a level that follows a value, after a prediction that missed by
// so much and would have been right with the given level: by a part of what it
// missed, and at once where it missed by far more than lately. restless is a
// running mean of the folded misses, in sixteenths.
func follow(level int64, restless uint64, right, missed int64, shift uint) (int64, uint64) {
	u := fold(missed)
	if u > 64+restless>>1 {
		level = right
	} else {
		level += (right - level) >> (shift & maxShift)
	}
	return level, restless + min(u, 1<<20)<<2 - restless>>2
}

// proportional predicts power from the square of the voltage, as a heating
// element draws it, and current from apparent power. What follows is the factor
// between them, in 4096ths. Where it is not known, the value before is the
// prediction.
func (t *table) proportional(d differences, k column, shift uint) {
	col, q := t.col[k], int64(k.quantity())
	has, v, p := t.col[colHas][:len(col)], t.col[colVoltage][:len(col)], t.col[colPower][:len(col)]
	level, restless, x, next := int64(0), uint64(0), int64(0), 0
	for i := range col {
		if has[i]&q != 0 {
			over, under := p[i], v[i]
			if k == colPower {
				over, under = v[i]*v[i], 1<<12
			}
			known, predicted := over > 0 && under > 0, x
			if known && level != 0 {
				predicted = (over*level/under + 1<<11) >> 12
			}
			x = d.code(next, predicted, col[i])
			if known {
				level, restless = follow(level, restless, (x*under<<12)/over, x-predicted, shift)
			}
			next++
		}
		col[i] = x
	}
}

// powerFactor predicts P / (V * I), rounded to hundredths.
func (t *table) powerFactor(d differences) {
	pf := t.col[colPowerFactor]
	has, v := t.col[colHas][:len(pf)], t.col[colVoltage][:len(pf)]
	p, cur := t.col[colPower][:len(pf)], t.col[colCurrent][:len(pf)]
	x, next := int64(0), 0
	for i := range pf {
		if has[i]&int64(smartmeter.PowerFactor) != 0 {
			predicted := int64(0)
			if apparent := v[i] * cur[i]; apparent > 0 {
				predicted = (p[i]*100_000 + apparent/2) / apparent
			}
			x = d.code(next, predicted, pf[i])
			next++
		}
		pf[i] = x
	}
}

// perWattHour is 1 Wh in steps of 0.1 W times 1 ms.
const perWattHour = 36_000_000

// energy predicts the register from the integral of the power. What of it does
// not make a watt-hour yet is corrected whenever the register steps at another
// moment than expected.
func (t *table) energy(d differences) {
	e := t.col[colEnergy]
	has, p, at := t.col[colHas][:len(e)], t.col[colPower][:len(e)], t.col[colTime][:len(e)]
	x, rest, next := int64(0), int64(perWattHour/2), 0
	for i := range e {
		if i > 0 {
			rest += (p[i] + p[i-1]) * (at[i] - at[i-1]) / 2
		}
		if has[i]&int64(smartmeter.Energy) != 0 {
			predicted := x + rest/perWattHour
			rest %= perWattHour
			x = d.code(next, predicted, e[i])
			next++
			switch {
			case x > predicted:
				rest = 0
			case x < predicted:
				rest = perWattHour - 1
			}
		}
		e[i] = x
	}
}
