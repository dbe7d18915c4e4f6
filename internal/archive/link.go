package archive

import (
	"math"
	"slices"
)

// anyPart is a link that leads to whatever part is next below.
const anyPart = math.MaxUint32

// link finds the parts of a month that count. The highest names the one before
// it, and so on; what they pass over does not count: it was replaced, or never
// became whole. They are found with the highest first.
func link(of Month, found []*part) *month {
	m := &month{month: of, highest: found[0].number}
	next := uint32(anyPart)
	for _, p := range found {
		if p.state == headerForeign {
			m.damage = append(m.damage, p.damaged(0, p.size, p.why))
			continue
		}
		if p.number < next && next != anyPart && next != 0 {
			m.lost(next)
			next = anyPart
		}
		switch {
		case next != anyPart && p.number != next:
			m.void = append(m.void, p.name)
		case next == anyPart && p.state == headerBlank:
			m.blank = append(m.blank, p.name)
			m.torn = append(m.torn, p.damaged(0, p.size, p.why))
		default:
			next = m.count(p)
		}
	}
	if next != anyPart && next != 0 {
		m.lost(next)
	}
	slices.Reverse(m.parts)
	return m
}

// count adds a part before those that count already, and returns the number of
// the one before it.
func (m *month) count(p *part) (next uint32) {
	if len(m.parts) > 0 {
		if later := m.parts[len(m.parts)-1]; later.previous == p.number {
			p.close(later.sound, later.end)
		}
	}
	m.parts = append(m.parts, p)
	if p.state != headerIntact {
		return anyPart
	}
	return p.previous
}

// lost notes that a part is not there that should be.
func (m *month) lost(number uint32) {
	p := part{header: header{month: m.month, number: number}}
	m.damage = append(m.damage, p.damaged(0, 0, "the file is gone"))
}
