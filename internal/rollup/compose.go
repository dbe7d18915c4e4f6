package rollup

import "github.com/iot-smart-meter/smartmeter"

// Compose appends the buckets of wider steps to dst, composed of finer ones that
// come oldest first, and returns the extended slice. Steps begin at midnight UTC
// as a Folder's do; width must be a multiple of the finer width. The result is
// what Fold gives for that width, exactly.
func Compose(dst, finer []smartmeter.Bucket, width smartmeter.Millis) []smartmeter.Bucket {
	begun := len(dst)
	for i := range finer {
		b := &finer[i]
		at := b.At - sinceMidnight(b.At)%smartmeter.Instant(width)
		if n := len(dst); n > begun && dst[n-1].At == at {
			dst[n-1].Join(b)
			continue
		}
		dst = append(dst, *b)
		dst[len(dst)-1].At = at
	}
	return dst
}
