package hub

import (
	"context"
	"iter"

	"github.com/iot-smart-meter/smartmeter"
)

// maxBuckets bounds an answer.
const maxBuckets = 100_000

// Buckets yields the wanted quantities of what a device measured with from <=
// At < to, summed up in steps of width, which begin at midnight UTC and whenever
// width has passed since; see package rollup for how. Steps in which none of
// them was measured are left out. The first error is the last thing yielded.
func (h *Hub) Buckets(ctx context.Context, id smartmeter.DeviceID, want smartmeter.Quantities, from, to smartmeter.Instant, width smartmeter.Millis) iter.Seq2[smartmeter.Bucket, error] {
	return func(yield func(smartmeter.Bucket, error) bool) {
		d, err := h.Device(id)
		if err == nil && smartmeter.Millis(to-from)/width > maxBuckets {
			err = smartmeter.NewError(smartmeter.Invalid, "query.step", "gives more than 100000 values over this time; choose a longer step or a shorter time")
		}
		if err != nil {
			yield(smartmeter.Bucket{}, err)
			return
		}
		for b, err := range h.store.Buckets(ctx, d.Node, d.Channel, want, from, to, width) {
			if !yield(b, unavailable(err)) {
				return
			}
		}
	}
}
