package display

// A connection that is being made is drawn in outline, one that is up is full,
// and one that is down is crossed out: no picture relies on blinking.

// wifi draws four bars that grow.
func (f *Frame) wifi(x int, link Link) {
	for i := range 4 {
		left, height := x+i*3, 2*i+1
		switch link {
		case Up:
			f.fill(left, 7-height, 2, height)
		case Trying:
			f.fill(left, 7-height, 2, 1)
			f.fill(left, 6, 2, 1)
		default:
			f.fill(left, 6, 2, 1)
		}
	}
	if link == Down {
		f.cross(x+3, 0)
	}
}

// hub draws the node and the hub, two boxes with a line between them.
func (f *Frame) hub(x int, link Link) {
	f.outline(x, 1, 5, 5)
	f.outline(x+14, 1, 5, 5)
	switch link {
	case Up:
		f.fill(x+5, 3, 9, 1)
		f.fill(x+1, 2, 3, 3)
		f.fill(x+15, 2, 3, 3)
	case Trying:
		for i := range 4 {
			f.set(x+6+i*2, 3)
		}
	default:
		f.cross(x+7, 1)
	}
}

// cross draws an x of five by five points.
func (f *Frame) cross(x, y int) {
	for i := range 5 {
		f.set(x+i, y+i)
		f.set(x+4-i, y+i)
	}
}
