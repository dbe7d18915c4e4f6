package display

// The large digits are made of seven bars, as on any meter: bars can be read
// from across a room, and need no bitmap.
const (
	largeWidth  = 13
	largeHeight = 25
	largeGap    = 3
	barWidth    = 3
	pointWidth  = barWidth + largeGap
)

// bars says which bars of a digit shine: bit 0 is the uppermost, the others
// follow clockwise, bit 6 is the one in the middle.
var bars = [10]byte{0x3F, 0x06, 0x5B, 0x4F, 0x66, 0x6D, 0x7D, 0x07, 0x7F, 0x6F}

// large writes n in large digits that end before right.
func (f *Frame) large(right, y int, n *number) {
	x := right + largeGap
	for i := len(n.letters) - 1; i >= n.begin; i-- {
		switch c := n.letters[i]; c {
		case '.':
			x -= pointWidth
			f.fill(x, y+largeHeight-barWidth, barWidth, barWidth)
		case '-':
			x -= largeWidth + largeGap
			f.bars(x, y, 0x40)
		default:
			x -= largeWidth + largeGap
			f.bars(x, y, bars[c-'0'])
		}
	}
}

// bars draws one digit.
func (f *Frame) bars(x, y int, on byte) {
	const half = (largeHeight - barWidth) / 2
	for bar, at := range [7]struct{ x, y int }{
		{0, 0},
		{largeWidth - barWidth, 0},
		{largeWidth - barWidth, half},
		{0, 2 * half},
		{0, half},
		{0, 0},
		{0, half},
	} {
		switch {
		case on&(1<<bar) == 0:
		case bar%3 == 0:
			f.lying(x+at.x, y+at.y)
		default:
			f.standing(x+at.x, y+at.y, half+barWidth)
		}
	}
}

// lying draws a bar from left to right, its ends cut so that bars which meet
// look like one line with a round corner.
func (f *Frame) lying(x, y int) {
	f.fill(x+1, y, largeWidth-2, barWidth)
}

// standing draws a bar from top to bottom.
func (f *Frame) standing(x, y, height int) {
	f.fill(x, y+1, barWidth, height-2)
}
