package display

// advance is how far apart letters are, at scale 1.
const advance = 6

// textWidth returns the width of n letters at a scale, without the gap behind
// the last.
func textWidth(n, scale int) int {
	return max(0, n*advance-1) * scale
}

// text writes s with its upper left corner at x, y, every point of the font
// scale points wide and high.
func (f *Frame) text(x, y, scale int, s string) {
	for i := range len(s) {
		f.letter(x+i*advance*scale, y, scale, glyphOf(s[i]))
	}
}

// centred writes s in the middle of the picture.
func (f *Frame) centred(y, scale int, s string) {
	f.text((Width-textWidth(len(s), scale))/2, y, scale, s)
}

func (f *Frame) letter(x, y, scale int, g glyph) {
	for row, points := range g {
		for column := range 5 {
			if points&(0x10>>column) != 0 {
				f.fill(x+column*scale, y+row*scale, scale, scale)
			}
		}
	}
}

// number is a decimal number being spelled, without memory of the heap.
type number struct {
	letters [20]byte
	begin   int
}

// spell spells v, of which the last decimals digits are behind the point, and
// rounds half away from zero to keep of them.
func spell(v int64, decimals, keep int) number {
	n := number{begin: len(number{}.letters)}
	negative := v < 0
	v = min(max(v, -beyond), beyond)
	if negative {
		v = -v
	}
	unit := int64(1)
	for ; decimals > keep; decimals-- {
		unit *= 10
	}
	v = (v + unit/2) / unit
	negative = negative && v != 0
	for i := 0; v > 0 || i <= decimals; i++ {
		if decimals > 0 && i == decimals {
			n.put('.')
		}
		n.put('0' + byte(v%10))
		v /= 10
	}
	if negative {
		n.put('-')
	}
	return n
}

// beyond is past everything that fits the picture: larger values are this one.
const beyond = 999_999_999_999

func (n *number) put(c byte) {
	n.begin--
	n.letters[n.begin] = c
}

// number writes n with its upper left corner at x, y, and returns where what
// follows begins.
func (f *Frame) number(x, y int, n *number) int {
	for _, c := range n.letters[n.begin:] {
		f.letter(x, y, 1, glyphOf(c))
		x += advance
	}
	return x
}
