package ledger

import (
	"encoding/binary"

	"github.com/iot-smart-meter/smartmeter"
)

// Append appends the sums in about a hundred bytes: a version, the qualities
// as runs of (quality, count), and the energies of the quarters that have one,
// all as varints. The day itself is left to whoever keeps them.
func (s *Sums) Append(dst []byte) []byte {
	dst = append(dst, version)
	for i := 0; i < QuartersADay; {
		run := i + 1
		for run < QuartersADay && s.Quarters[run].Quality == s.Quarters[i].Quality {
			run++
		}
		dst = append(dst, byte(s.Quarters[i].Quality), byte(run-i))
		i = run
	}
	for _, q := range s.Quarters {
		if q.Quality != 0 {
			dst = binary.AppendUvarint(dst, uint64(q.Energy))
		}
	}
	return dst
}

// Decode makes s the sums of a day that Append has packed. The error is
// ErrDamaged, and s is of no use then.
func (s *Sums) Decode(day DayNumber, packed []byte) error {
	*s = Sums{Day: day}
	if len(packed) == 0 || packed[0] != version {
		return ErrDamaged
	}
	packed = packed[1:]
	for i := 0; i < QuartersADay; packed = packed[2:] {
		if len(packed) < 2 || packed[1] == 0 || int(packed[1]) > QuartersADay-i {
			return ErrDamaged
		}
		for range packed[1] {
			s.Quarters[i].Quality = smartmeter.EnergyQuality(packed[0])
			i++
		}
	}
	at := 0
	for i := range s.Quarters {
		q := &s.Quarters[i]
		if q.Quality == 0 {
			continue
		}
		if at < len(packed) && packed[at] < 0x80 { // as most are: below 128 Wh
			q.Energy = smartmeter.WattHour(packed[at])
			at++
			continue
		}
		energy, n := binary.Uvarint(packed[at:])
		if n <= 0 || energy > uint64(maxSum) {
			return ErrDamaged
		}
		q.Energy = smartmeter.WattHour(energy)
		at += n
	}
	if at < len(packed) {
		return ErrDamaged
	}
	return nil
}

// maxSum bounds a quarter so that a century of them can be added up.
const maxSum smartmeter.WattHour = 1 << 40
