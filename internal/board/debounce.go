package board

import "github.com/iot-smart-meter/smartmeter"

// settled is for how long a contact must not move to be believed.
const settled smartmeter.Millis = 30

// Debouncer turns a contact that chatters into one that does not. The zero value
// is of one that is open.
type Debouncer struct {
	down, seen bool
	since      smartmeter.Millis // seen is what it is
}

// Look takes what the contact is at t, and reports what it is believed to be and
// whether that is news. A button that is asked every 10 ms or so is felt at once.
func (d *Debouncer) Look(t smartmeter.Millis, closed bool) (down, changed bool) {
	if closed != d.seen {
		d.seen, d.since = closed, t
	}
	if d.seen == d.down || t < d.since+settled {
		return d.down, false
	}
	d.down = d.seen
	return d.down, true
}
