package ledger

import "github.com/iot-smart-meter/smartmeter"

// Flow is the energy of a device in a bucket, by direction.
type Flow struct {
	Import smartmeter.EnergyBucket
	// Export is nil where the meter does not tell directions apart. That is not
	// the same as nothing exported.
	Export *smartmeter.EnergyBucket
}

// Net returns import less export. Without an export register it is what the
// register has counted, and directed is false.
func (f Flow) Net() (net smartmeter.WattHour, directed bool) {
	if f.Export == nil {
		return f.Import.Energy, false
	}
	return f.Import.Energy - f.Export.Energy, true
}

// Rest is what a parent measured and none of its children did.
type Rest struct {
	From, To smartmeter.Instant
	// Energy is the parent's less the children's: children and rest make the
	// parent, to the watt-hour. Where meters disagree it may be below 0.
	Energy smartmeter.WattHour
	// Within is how far Energy may be from the truth if all meters keep their
	// class. A rest smaller than that may be none.
	Within smartmeter.WattHour
	// Quality has the qualities of all of which the rest is made.
	Quality smartmeter.EnergyQuality
	// Complete is false where something is missing of the parent or a child.
	// What is missing of a child is in the rest.
	Complete bool
	// Directed is false where any of the meters does not tell directions apart.
	Directed bool
}

// meterClass is the error of a PZEM-004T, 0.5 %, as one in so many.
const meterClass = 200

// Unmetered returns a parent's rest in a bucket. The children's buckets must be
// the parent's in time.
func Unmetered(parent Flow, children ...Flow) Rest {
	r := Rest{From: parent.Import.From, To: parent.Import.To, Complete: true, Directed: true}
	r.Energy = r.take(parent)
	for _, child := range children {
		r.Energy -= r.take(child)
	}
	return r
}

// take adds a flow's uncertainty and qualities to the rest's, and returns its net.
func (r *Rest) take(f Flow) smartmeter.WattHour {
	buckets := []*smartmeter.EnergyBucket{&f.Import}
	if f.Export != nil {
		buckets = append(buckets, f.Export)
	}
	for _, b := range buckets {
		r.Within += (b.Energy+meterClass-1)/meterClass + registerStep
		r.Quality |= b.Quality
		r.Complete = r.Complete && b.Missing == 0
	}
	net, directed := f.Net()
	r.Directed = r.Directed && directed
	return net
}
