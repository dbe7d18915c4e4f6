package ledger

import "github.com/iot-smart-meter/smartmeter"

// Append appends the day, in less than a kilobyte: all that later days, late
// readings and corrections need of it. Equal days give equal bytes.
func (d *Day) Append(dst []byte) []byte {
	c := &coder{bytes: append(dst, version)}
	own := *d
	own.code(c)
	return c.bytes
}

// Decode makes d the day that Append has packed. The error is ErrDamaged, and d
// is of no use then.
func (d *Day) Decode(number DayNumber, packed []byte) error {
	*d = Day{Number: number}
	if err := readFrom(packed, d.code); err != nil {
		return err
	}
	for _, s := range d.Spans {
		if !d.holds(s.From, s.To, s.Use, s.Energy) {
			return ErrDamaged
		}
	}
	for _, f := range d.Findings {
		if !d.holds(f.From, f.To, f.Use, f.Held) {
			return ErrDamaged
		}
	}
	return nil
}

// holds reports whether something like this can have been found out on the day.
func (d *Day) holds(from, to Point, use Use, energy smartmeter.WattHour) bool {
	return 0 <= from.At && from.At <= to.At && DayOf(to.At) <= d.Number &&
		0 <= use.Energy && 0 <= use.Covered && 0 <= energy && energy <= maxRegister
}

func (d *Day) code(c *coder) {
	for i := range d.Power {
		number(c, &d.Power[i].Energy)
		near(c, &d.Power[i].Covered, smartmeter.Millis(quarterMillis))
	}
	for i := range d.Quarters {
		number(c, &d.Quarters[i].Energy)
		number(c, &d.Quarters[i].Quality)
	}
	list(c, &d.Spans, func(s *Span) {
		d.codePoint(c, &s.From)
		d.codePoint(c, &s.To)
		codeUse(c, &s.Use)
		number(c, &s.Energy)
		number(c, &s.Quality)
	})
	list(c, &d.Findings, func(f *Finding) {
		number(c, &f.Kind)
		d.codePoint(c, &f.From)
		d.codePoint(c, &f.To)
		codeUse(c, &f.Use)
		number(c, &f.Held)
		number(c, &f.Reason)
		number(c, &f.Count)
	})
	d.codeState(c, &d.After)
}

func (d *Day) codeState(c *coder, s *State) {
	flag(c, &s.Known)
	d.codePoint(c, &s.Base.Last)
	codeUse(c, &s.Base.Since)
	flag(c, &s.Waiting)
	d.codePoint(c, &s.Open.First)
	number(c, &s.Open.High)
	codeUse(c, &s.Open.Gap)
	codeUse(c, &s.Open.Since)
	number(c, &s.Declared.At)
	number(c, &s.Declared.Start)
	flag(c, &s.Declared.StartKnown)
	number(c, &s.Announced)
}

func (d *Day) codePoint(c *coder, p *Point) {
	near(c, &p.At, d.Number.Start())
	number(c, &p.Register)
	codeUse(c, &p.Before)
}

func codeUse(c *coder, u *Use) {
	number(c, &u.Energy)
	number(c, &u.Covered)
}
