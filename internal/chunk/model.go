package chunk

import "github.com/iot-smart-meter/smartmeter"

// The models. Each walks along a column and lets the coder take down, or give
// back, every value, with a prediction made from nothing but what a reader
// already knows by then. All arithmetic is of 64-bit integers that wrap around
// and divisions that round towards zero: a prediction may be nonsense, but it
// is the same nonsense on every machine.

// walk takes c along column k in the way m.
func (t *table) walk(c *coder, k column, m mode) {
	switch {
	case k == colSeq:
		t.sequence(c)
	case k == colTime:
		t.times(c, m)
	case k.quantity() == 0:
		t.plain(c, k)
	case m.model == fromPast:
		t.smooth(c, k, m.shift)
	case k == colPowerFactor:
		t.powerFactor(c)
	case k == colEnergy:
		t.energy(c)
	default:
		t.proportional(c, k, m.shift)
	}
}

// plain predicts that a value stays as it was.
func (t *table) plain(c *coder, k column) {
	col, x := t.col[k], int64(0)
	if c.reading && c.still && c.count == len(col) {
		c.repeat(col)
		return
	}
	for i := range col {
		x = c.code(x, col[i])
		col[i] = x
	}
}

// sequence predicts that a node which numbers its samples adds one.
func (t *table) sequence(c *coder) {
	seq, boot := t.col[colSeq], t.col[colBoot]
	x := int64(0)
	for i := range seq {
		if boot[i] != 0 {
			x++
		}
		x = c.code(x, seq[i])
		seq[i] = x
	}
}

// times predicts the next point of the grid on which the node samples: one step
// for each number of the sequence.
func (t *table) times(c *coder, m mode) {
	at, seq, boot := t.col[colTime], t.col[colSeq], t.col[colBoot]
	g := grid{step: m.step, shift: m.shift}
	for i := range at {
		steps := int64(1)
		if i > 0 && boot[i] == boot[i-1] && seq[i] > seq[i-1] {
			steps = seq[i] - seq[i-1]
		}
		g.level += g.step * steps << 8
		at[i] = c.code(g.point(), at[i])
		g.take(at[i], steps)
	}
}

// grid is where samples are expected.
type grid struct {
	step  int64
	shift uint
	level int64 // the point in 256ths of a millisecond
	last  int64 // the time before
	apart int64 // its distance from the one before it, per step
}

func (g *grid) point() int64 { return (g.level + 128) >> 8 }

// take lets the grid follow a sample that was taken at the given time, so many
// steps after the one before: far off, it begins anew there; and twice the same
// new distance is a new step.
func (g *grid) take(at, steps int64) {
	if missed := at - g.point(); 2*abs(missed) > g.step {
		g.level = at << 8
	} else {
		g.level += (at<<8 - g.level) >> g.shift
	}
	apart := at - g.last
	if steps > 1 {
		apart /= steps
	}
	if apart > 0 && 8*abs(apart-g.step) > g.step && 8*abs(apart-g.apart) <= g.step {
		g.step = apart
	}
	g.last, g.apart = at, apart
}

func abs(x int64) int64 { return max(x, -x) }

// smooth predicts the smoothed past.
func (t *table) smooth(c *coder, k column, shift uint) {
	col, has, q := t.col[k], t.col[colHas], int64(k.quantity())
	f, x := follower{shift: shift}, int64(0)
	for i := range col {
		if has[i]&q != 0 {
			predicted := (f.level + 128) >> 8
			x = c.code(predicted, col[i])
			f.take(x<<8, x-predicted)
		}
		col[i] = x
	}
}

// follower follows a value by a part of what it missed, and at once where it
// missed by far more than lately.
type follower struct {
	shift    uint
	level    int64
	restless uint64 // a running mean of the folded misses, in sixteenths
}

// take follows a prediction that missed by so much and would have been right
// with the given level.
func (f *follower) take(level, missed int64) {
	u := fold(missed)
	if u > 64+f.restless>>1 {
		f.level = level
	} else {
		f.level += (level - f.level) >> f.shift
	}
	f.restless += min(u, 1<<20)<<2 - f.restless>>2
}

// proportional predicts power from the square of the voltage, as a heating
// element draws it, and current from apparent power. What follows is the factor
// between them, in 4096ths. Where it is not known, the value before is the
// prediction.
func (t *table) proportional(c *coder, k column, shift uint) {
	col, has, q := t.col[k], t.col[colHas], int64(k.quantity())
	f, x := follower{shift: shift}, int64(0)
	for i := range col {
		if has[i]&q != 0 {
			predicted := x
			over, under := t.proportion(k, i)
			if f.level != 0 && over > 0 && under > 0 {
				predicted = (over*f.level/under + 1<<11) >> 12
			}
			x = c.code(predicted, col[i])
			if over > 0 && under > 0 {
				f.take((x*under<<12)/over, x-predicted)
			}
		}
		col[i] = x
	}
}

// proportion returns the fraction which column k is proportional to.
func (t *table) proportion(k column, i int) (over, under int64) {
	v := t.col[colVoltage][i]
	if k == colPower {
		return v * v, 1 << 12
	}
	return t.col[colPower][i], v
}

// powerFactor predicts P / (V * I), rounded to hundredths.
func (t *table) powerFactor(c *coder) {
	pf, has := t.col[colPowerFactor], t.col[colHas]
	v, cur, p := t.col[colVoltage], t.col[colCurrent], t.col[colPower]
	x := int64(0)
	for i := range pf {
		if has[i]&int64(smartmeter.PowerFactor) != 0 {
			predicted := int64(0)
			if apparent := v[i] * cur[i]; apparent > 0 {
				predicted = (p[i]*100_000 + apparent/2) / apparent
			}
			x = c.code(predicted, pf[i])
		}
		pf[i] = x
	}
}

// perWattHour is 1 Wh in steps of 0.1 W times 1 ms.
const perWattHour = 36_000_000

// energy predicts the register from the integral of the power. What of it does
// not make a watt-hour yet is corrected whenever the register steps at another
// moment than expected.
func (t *table) energy(c *coder) {
	e, p, at, has := t.col[colEnergy], t.col[colPower], t.col[colTime], t.col[colHas]
	x, rest := int64(0), int64(perWattHour/2)
	for i := range e {
		if i > 0 {
			rest += (p[i] + p[i-1]) * (at[i] - at[i-1]) / 2
		}
		if has[i]&int64(smartmeter.Energy) != 0 {
			predicted := x + rest/perWattHour
			rest %= perWattHour
			x = c.code(predicted, e[i])
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
