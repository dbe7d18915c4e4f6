package display

// The size of the picture in points.
const (
	Width  = 128
	Height = 64
)

// Frame is a picture as an SH1106 or SSD1306 takes it: eight pages of 128
// bytes, top to bottom, each byte eight points of a column with the uppermost
// in bit 0 (SH1106 data sheet, "Display Data RAM"). A point that is set shines.
type Frame [Width * Height / 8]byte

// At reports whether a point shines; none does outside the picture.
func (f *Frame) At(x, y int) bool {
	return inside(x, y) && f[y/8*Width+x]&(1<<(y%8)) != 0
}

// set makes a point shine. Outside the picture nothing happens, so that what
// is too long is cut at the edge.
func (f *Frame) set(x, y int) {
	if inside(x, y) {
		f[y/8*Width+x] |= 1 << (y % 8)
	}
}

// invert turns a rectangle of w by h points with its corner at x, y into its
// negative.
func (f *Frame) invert(x, y, w, h int) {
	for j := y; j < y+h; j++ {
		for i := x; i < x+w; i++ {
			if inside(i, j) {
				f[j/8*Width+i] ^= 1 << (j % 8)
			}
		}
	}
}

// fill makes a rectangle shine.
func (f *Frame) fill(x, y, w, h int) {
	for j := y; j < y+h; j++ {
		for i := x; i < x+w; i++ {
			f.set(i, j)
		}
	}
}

// outline draws the border of a rectangle.
func (f *Frame) outline(x, y, w, h int) {
	f.fill(x, y, w, 1)
	f.fill(x, y+h-1, w, 1)
	f.fill(x, y, 1, h)
	f.fill(x+w-1, y, 1, h)
}

func inside(x, y int) bool {
	return x >= 0 && x < Width && y >= 0 && y < Height
}
