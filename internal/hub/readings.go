package hub

import (
	"context"
	"errors"
	"iter"

	"github.com/iot-smart-meter/smartmeter"
)

// Page is a bounded part of a device's readings, oldest first.
type Page struct {
	Readings []smartmeter.Reading
	// Next is where the following page begins; 0 on the last one.
	Next smartmeter.Instant
}

// Readings returns what a device measured with from <= At < to: about limit of
// them at the most, for readings of the same millisecond stay together.
func (h *Hub) Readings(ctx context.Context, id smartmeter.DeviceID, from, to smartmeter.Instant, limit int) (Page, error) {
	d, err := h.Device(id)
	if err != nil {
		return Page{}, err
	}
	var page Page
	for r, err := range h.store.Readings(ctx, d.Node, d.Channel, from, to) {
		if err != nil {
			return Page{}, unavailable(err)
		}
		if n := len(page.Readings); n >= limit && r.At != page.Readings[n-1].At {
			page.Next = r.At
			break
		}
		page.Readings = append(page.Readings, r)
	}
	return page, nil
}

// importBatch bounds what an import holds in memory at once.
const importBatch = 5000

// Import keeps readings from elsewhere, a backup or another system, of nodes
// that may never have been heard. They feed the history alone: the live
// picture stays as it is. Readings already kept are kept once. It returns when
// all are durable.
func (h *Hub) Import(ctx context.Context, readings iter.Seq[smartmeter.Reading]) error {
	batch := make([]smartmeter.Reading, 0, importBatch)
	flush := func() error {
		if err := h.store.AppendReadings(batch...); err != nil {
			return unavailable(err)
		}
		batch = batch[:0]
		return unavailable(h.store.Sync(ctx))
	}
	for r := range readings {
		if batch = append(batch, r); len(batch) < importBatch {
			continue
		}
		if err := errors.Join(ctx.Err(), flush()); err != nil {
			return err
		}
	}
	return flush()
}
