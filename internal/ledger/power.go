package ledger

import "github.com/iot-smart-meter/smartmeter"

// Use is power over time, as far as there are samples of it.
type Use struct {
	// Energy is the integral of power, in units of 0.1 W times 1 ms.
	Energy int64
	// Covered is the time about which samples say something.
	Covered smartmeter.Millis
}

// perWattHour is 1 Wh in the unit of Use.Energy.
const perWattHour = 36_000_000

// standsFor is how long a power sample stands while no other follows. A load
// may have done anything after that.
const standsFor smartmeter.Instant = 30_000

func (u Use) plus(o Use) Use  { return Use{u.Energy + o.Energy, u.Covered + o.Covered} }
func (u Use) minus(o Use) Use { return Use{u.Energy - o.Energy, u.Covered - o.Covered} }

// integrate carries the power on until to, within the day.
func (f *Folder) integrate(to smartmeter.Instant) {
	from := f.until
	f.until = to
	if !f.powered {
		return
	}
	for end := min(to, f.poweredAt+standsFor); from < end; {
		edge := min(end, startOf(quarterOf(from)+1))
		part := Use{int64(max(f.power, 0)) * int64(edge-from), smartmeter.Millis(edge - from)}
		sum := f.powerOf(quarterOf(from))
		*sum = sum.plus(part)
		f.state.pass(part)
		from = edge
	}
}
