package chunk

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"math/bits"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter"
)

// This file is a reader as a stranger would write it, from
// docs/storage-format.md and RFC 8878 alone. It shares no code with the package
// but the type that it returns, does not care for speed, and panics on damage.

func TestFormatIsAsWritten(t *testing.T) {
	mixed := secondOf(mixedDay(t))
	days := map[string][]smartmeter.Reading{
		"mixed": mixed,
		"noisy": newHousehold(4).day(testDay),
		"plug":  plug(5, testDay),
	}
	for name, readings := range days {
		t.Run(name, func(t *testing.T) {
			var e Encoder
			p, err := e.Encode(nil, Header{Day: testDay}, readings)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(readings, readByTheBook(p)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

type book struct {
	p    []byte
	n    int
	cols [11][]int64
}

func (b *book) bytes(n int) []byte {
	taken := b.p[:n]
	b.p = b.p[n:]
	return taken
}

func (b *book) uvarint() int {
	u, n := binary.Uvarint(b.p)
	b.bytes(n)
	return int(u)
}

func readByTheBook(p []byte) []smartmeter.Reading {
	b := &book{p: p[108:], n: int(binary.LittleEndian.Uint32(p[48:]))}
	midnight := int64(int32(binary.LittleEndian.Uint32(p[40:]))) * 86_400_000
	var lengths [11]int
	for k := range lengths {
		lengths[k] = b.uvarint()
	}
	for k, n := range lengths {
		column := &book{p: b.bytes(n)}
		mode, step := int(column.bytes(1)[0]), int64(0)
		if k == 3 {
			step = int64(column.uvarint())
		}
		b.model(k, mode>>4, mode&15, step, column.differences())
	}
	readings := make([]smartmeter.Reading, b.n)
	for i := range readings {
		has := b.cols[4][i]
		value := func(bit, k int) int64 { return b.cols[k][i] * (has >> bit & 1) }
		readings[i] = smartmeter.Reading{
			At: smartmeter.Instant(midnight + b.cols[3][i]), Timing: smartmeter.Timing(b.cols[0][i]),
			Boot: smartmeter.BootID(b.cols[1][i]), Seq: uint32(b.cols[2][i]),
			Measurement: smartmeter.Measurement{
				Has:         smartmeter.Quantities(has),
				Voltage:     smartmeter.Decivolt(value(0, 5)),
				Current:     smartmeter.Milliamp(value(1, 7)),
				Power:       smartmeter.Deciwatt(value(2, 6)),
				Energy:      smartmeter.WattHour(value(3, 9)),
				Frequency:   smartmeter.Decihertz(value(4, 10)),
				PowerFactor: smartmeter.Hundredth(value(5, 8)),
			},
		}
	}
	return readings
}

// differences reads a column behind its mode, and returns what gives one
// difference after the other.
func (b *book) differences() func() int64 {
	raw := new(big.Int)
	le := b.bytes(b.uvarint())
	for i := range le {
		raw.Or(raw, new(big.Int).Lsh(big.NewInt(int64(le[i])), uint(8*i)))
	}
	position := 0
	rawBits := func(n int) (u uint64) {
		for i := range n {
			u |= uint64(raw.Bit(position)) << i
			position++
		}
		return u
	}
	used := b.bytes(1)[0]
	var streams [8][]byte
	for i := range streams {
		if used>>i&1 != 0 {
			streams[i] = b.stream()
		}
	}
	context, inBlock, sum := 0, 0, uint64(0)
	first := true
	return func() int64 {
		if first {
			first = false
			return int64(rawBits(64))
		}
		if inBlock == 8 {
			context, inBlock, sum = min(7, bits.Len64(sum)), 0, 0
		}
		t := uint64(streams[context][0])
		streams[context] = streams[context][1:]
		u := t
		if t >= 16 {
			n := int(t-16)/4 + 2
			u = (4+t%4)<<n + rawBits(n)
		}
		inBlock++
		sum += min(u, 65536)
		if u%2 == 0 {
			return int64(u / 2)
		}
		return -int64(u/2) - 1
	}
}

func (b *book) stream() []byte {
	n := b.uvarint()
	tokens := make([]byte, n)
	switch how := b.bytes(1)[0]; how {
	case 0:
		copy(tokens, b.bytes(n))
	case 1:
		one := b.bytes(1)[0]
		for i := range tokens {
			tokens[i] = one
		}
	case 2:
		fseByTheBook(b.bytes(b.uvarint()), tokens)
	default:
		panic(fmt.Sprint("a stream of kind ", how))
	}
	return tokens
}

type fseState struct {
	token    byte
	bits     int
	baseline int
}

// fseByTheBook follows RFC 8878: section 4.1.1 for the table and 4.2.1.2 for
// the two states.
func fseByTheBook(p, tokens []byte) {
	table, accuracy, size := fseTable(p)
	p = p[size:]
	end := len(p)*8 - bits.LeadingZeros8(p[len(p)-1]) - 1 // below the final 1 bit
	read := func(n int) (x int) {
		for range n {
			end--
			x = x<<1 | int(p[end/8]>>(end%8)&1)
		}
		return x
	}
	states := [2]int{}
	states[0] = read(accuracy)
	states[1] = read(accuracy)
	for i := range tokens {
		s := table[states[i%2]]
		tokens[i] = s.token
		if i+2 < len(tokens) {
			states[i%2] = s.baseline + read(s.bits)
		}
	}
	if end != 0 {
		panic(fmt.Sprint(end, " bits are left of an FSE block"))
	}
}

func fseTable(p []byte) (table []fseState, accuracy, size int) {
	at := 0
	read := func(n int) (x int) {
		for i := range n {
			x |= int(p[at/8]>>(at%8)&1) << i
			at++
		}
		return x
	}
	accuracy = read(4) + 5
	var probabilities []int
	for remaining := 1<<accuracy + 1; remaining > 1; {
		// Values from 0 to remaining; the small ones take a bit less.
		width := bits.Len(uint(remaining))
		small := 1<<width - 1 - remaining
		value := read(width - 1)
		if value >= small {
			if value |= read(1) << (width - 1); value >= 1<<(width-1) {
				value -= small
			}
		}
		probability := value - 1
		remaining -= max(probability, -probability)
		probabilities = append(probabilities, probability)
		for probability == 0 {
			repeat := read(2)
			probabilities = append(probabilities, make([]int, repeat)...)
			if repeat < 3 {
				break
			}
		}
	}
	return spread(probabilities, 1<<accuracy), accuracy, (at + 7) / 8
}

func spread(probabilities []int, size int) []fseState {
	table := make([]fseState, size)
	high := size - 1
	for token, p := range probabilities {
		if p == -1 {
			table[high].token = byte(token)
			high--
		}
	}
	at := 0
	for token, p := range probabilities {
		for range max(p, 0) {
			table[at].token = byte(token)
			for at = (at + size/2 + size/8 + 3) % size; at > high; {
				at = (at + size/2 + size/8 + 3) % size
			}
		}
	}
	next := map[byte]int{}
	for token, p := range probabilities {
		next[byte(token)] = max(p, -p)
	}
	for i := range table {
		s := &table[i]
		n := next[s.token]
		next[s.token]++
		s.bits = bits.Len(uint(size)) - bits.Len(uint(n))
		s.baseline = n<<s.bits - size
	}
	return table
}

var bookBits = map[int]int64{5: 1, 7: 2, 6: 4, 9: 8, 10: 16, 8: 32}

// bookModel is the state of any of the models.
type bookModel struct {
	*book
	k, model, shift int
	step            int64

	x, level, r, last, apart int64
	rest                     int64
	steps, over, under       int64
}

func (b *book) model(k, model, shift int, step int64, difference func() int64) {
	m := &bookModel{book: b, k: k, model: model, shift: shift, step: step, rest: 18_000_000}
	b.cols[k] = make([]int64, b.n)
	for i := range b.cols[k] {
		if k == 9 && i > 0 {
			p, at := b.cols[6], b.cols[3]
			m.rest += (p[i] + p[i-1]) * (at[i] - at[i-1]) / 2
		}
		if k < 5 || b.cols[4][i]&bookBits[k] != 0 {
			prediction := m.predict(i)
			d := difference()
			m.x = prediction + d
			m.learn(prediction, d)
		}
		b.cols[k][i] = m.x
	}
}

func (m *bookModel) predict(i int) int64 {
	boot, seq, v, p, cur := m.cols[1], m.cols[2], m.cols[5], m.cols[6], m.cols[7]
	switch {
	case m.k == 2 && boot[i] != 0:
		return m.x + 1
	case m.k == 3:
		m.steps = 1
		if i > 0 && boot[i] == boot[i-1] && seq[i] > seq[i-1] {
			m.steps = seq[i] - seq[i-1]
		}
		m.level += m.step * m.steps * 256
		return (m.level + 128) >> 8
	case m.k < 5:
		return m.x
	case m.model == 0:
		return (m.level + 128) >> 8
	case m.k == 8:
		if s := v[i] * cur[i]; s > 0 {
			return (100_000*p[i] + s/2) / s
		}
		return 0
	case m.k == 9:
		prediction := m.x + m.rest/36_000_000
		m.rest %= 36_000_000
		return prediction
	}
	m.over, m.under = v[i]*v[i], 4096
	if m.k == 7 {
		m.over, m.under = p[i], v[i]
	}
	if m.level != 0 && m.over > 0 && m.under > 0 {
		return (m.over*m.level/m.under + 2048) >> 12
	}
	return m.x
}

func (m *bookModel) learn(prediction, d int64) {
	switch {
	case m.k == 3:
		m.learnTime(d)
	case m.k < 5 || m.k == 8 && m.model == 1:
	case m.model == 0:
		m.follow(256*m.x, d)
	case m.k == 9 && m.x > prediction:
		m.rest = 0
	case m.k == 9 && m.x < prediction:
		m.rest = 35_999_999
	case m.over > 0 && m.under > 0:
		m.follow(m.under*m.x*4096/m.over, d)
	}
}

func (m *bookModel) learnTime(d int64) {
	if 2*max(d, -d) > m.step {
		m.level = 256 * m.x
	} else {
		m.level += (256*m.x - m.level) >> m.shift
	}
	now := (m.x - m.last) / m.steps
	if now > 0 && 8*max(now-m.step, m.step-now) > m.step && 8*max(now-m.apart, m.apart-now) <= m.step {
		m.step = now
	}
	m.apart, m.last = now, m.x
}

func (m *bookModel) follow(right, d int64) {
	u := uint64(d) << 1
	if d < 0 {
		u = ^u
	}
	if u > uint64(64+m.r>>1) {
		m.level = right
	} else {
		m.level += (right - m.level) >> m.shift
	}
	m.r += 4*int64(min(u, 1<<20)) - m.r>>2
}
