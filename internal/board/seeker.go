package board

import "github.com/iot-smart-meter/smartmeter"

const (
	// joinAttempts is how many attempts to join come before the hotspot, the
	// first minute or so after a power-up: after a power cut the router takes
	// its time, too.
	joinAttempts = 4
	// hotspotFor is how long the hotspot stays without anybody using it, where
	// there is a WiFi to go back to.
	hotspotFor smartmeter.Millis = 180_000
	// firstPause is the wait after an attempt that failed. It doubles up to
	// longestPause, and up to half of it more is left to chance: nodes that lost
	// their WiFi together must not return together.
	firstPause   smartmeter.Millis = 1000
	longestPause smartmeter.Millis = 60_000
)

// Radio is what a node's radio should do.
type Radio uint8

const (
	// Wait is to leave it alone until the time that Next gave.
	Wait Radio = iota
	// Join is to try the WiFi that is known, once.
	Join
	// Hotspot is to open, or keep open, the node's own with the form.
	Hotspot
	// Restart is to have the hotspot end and begin anew with Seeker.NoHotspot:
	// the radio's driver cannot leave a hotspot (firmware/wifi.go).
	Restart
)

// Seeker decides when a node looks for its WiFi, and when for a person. It is
// pure: time and what became of an attempt come in.
type Seeker struct {
	// Known says that there is a WiFi to join.
	Known bool
	// NoHotspot says that this boot opens none: the one before did, and nobody
	// came, or nothing could be kept of what a person said.
	NoHotspot bool
	// Seed makes this node's chance differ from others'.
	Seed uint32

	failed int
	next   smartmeter.Millis // before when nothing is tried
	joined bool              // now
	had    bool              // at some time in this boot
	open   bool              // the hotspot is
	used   smartmeter.Millis // when it was opened, or used last
}

// Next returns what the radio should do at t, and until when at most that holds.
func (s *Seeker) Next(t smartmeter.Millis) (do Radio, until smartmeter.Millis) {
	switch {
	case s.open && !s.Known:
		return Hotspot, t + hotspotFor
	case s.open && t < s.used+hotspotFor:
		return Hotspot, s.used + hotspotFor
	case s.open:
		return Restart, t
	case s.joined:
		return Wait, t + longestPause
	case !s.NoHotspot && (!s.Known || !s.had && s.failed >= joinAttempts):
		s.open, s.used = true, t
		return Hotspot, t + hotspotFor
	case !s.Known:
		return Wait, t + longestPause
	case t < s.next:
		return Wait, s.next
	default:
		return Join, t
	}
}

// Joined tells that an attempt succeeded.
func (s *Seeker) Joined() { s.joined, s.had, s.failed = true, true, 0 }

// Failed tells at t that an attempt did not, or that the WiFi is lost.
func (s *Seeker) Failed(t smartmeter.Millis) {
	s.joined = false
	s.failed++
	pause := min(firstPause<<min(s.failed-1, 6), longestPause)
	s.Seed = s.Seed*1664525 + 1013904223 // Numerical Recipes, "An Even Quicker Generator"
	s.next = t + pause + smartmeter.Millis(s.Seed>>16)%(pause/2+1)
}

// Used tells at t that somebody looks at the form.
func (s *Seeker) Used(t smartmeter.Millis) { s.used = t }
