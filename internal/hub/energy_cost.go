package hub

import (
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
	"github.com/iot-smart-meter/smartmeter/internal/tariff"
)

// Cost is what energy cost, for whoever may not know package tariff.
type Cost = tariff.Cost

// costing adds up a device's energy price by price.
type costing struct {
	spans []tariff.Span
	// sums has the energy of each span, in buckets that its ends cut; nil where
	// one price holds all the time, and the device's own buckets will do.
	sums []*ledger.Composer
}

// newCosting makes a costing for a query's time, whose ends are at quarter hours.
func newCosting(spans []tariff.Span, q EnergyQuery) (*costing, error) {
	c := &costing{spans: spans}
	if len(spans) == 0 || spans[0].From == q.From && spans[0].To == q.To {
		return c, nil
	}
	for _, s := range spans {
		sum, err := ledger.NewComposer(s.From, s.To, q.Step, q.Zone)
		if err != nil {
			return nil, inQuery(err)
		}
		c.sums = append(c.sums, sum)
	}
	return c, nil
}

// add adds the part of a day's sums that lies in from <= t < to.
func (c *costing) add(sums *ledger.Sums, from, to smartmeter.Instant) {
	for i, s := range c.spans[:len(c.sums)] {
		if from, to := max(from, s.From), min(to, s.To); from < to {
			c.sums[i].AddBetween(sums, from, to)
		}
	}
}

// costs returns what the energy of each bucket cost; nil if nothing has a price.
func (c *costing) costs(buckets []smartmeter.EnergyBucket) []tariff.Cost {
	costs := noCosts(c.spans, buckets)
	i := 0
	for k, s := range c.spans {
		parts := buckets
		if c.sums != nil {
			parts = c.sums[k].Buckets()
		}
		for _, part := range parts {
			for buckets[i].To <= part.From {
				i++
			}
			costs[i] = costs[i].Plus(tariff.Of(part.Energy, s.PerKWh))
		}
	}
	return costs
}

// noCosts returns the costs of buckets before any energy is in them: nothing, and
// not known where there was no price yet. They are nil if there is none at all.
func noCosts(spans []tariff.Span, buckets []smartmeter.EnergyBucket) []tariff.Cost {
	if len(spans) == 0 {
		return nil
	}
	costs := make([]tariff.Cost, len(buckets))
	for i, b := range buckets {
		if b.From >= spans[0].From {
			costs[i] = tariff.Of(0, 0)
		}
	}
	return costs
}

// addCosts adds what a device's buckets cost to a sum.
func addCosts(sum, more []tariff.Cost) {
	for i := range sum {
		sum[i] = sum[i].Plus(more[i])
	}
}

// restCosts returns what a parent's energy cost less that of its children.
func restCosts(parent *DeviceEnergy, children []*DeviceEnergy) []tariff.Cost {
	if parent.Costs == nil {
		return nil
	}
	rests := make([]tariff.Cost, len(parent.Costs))
	for i, rest := range parent.Costs {
		for _, child := range children {
			rest = rest.Minus(child.Costs[i])
		}
		rests[i] = rest
	}
	return rests
}
