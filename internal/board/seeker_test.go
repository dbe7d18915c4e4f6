package board

import (
	"testing"

	"github.com/iot-smart-meter/smartmeter"
)

const second, minute smartmeter.Millis = 1000, 60_000

// life lets a seeker live, and notes what its radio does.
type life struct {
	Seeker
	t        *testing.T
	now      smartmeter.Millis
	joins    []smartmeter.Millis
	hotspots []smartmeter.Millis // when one was opened
	restarts int
	reached  func(now smartmeter.Millis) bool // whether the WiFi can be joined
}

// live lets d pass. An attempt that fails takes 15 s.
func (l *life) live(d smartmeter.Millis) {
	l.t.Helper()
	was := Wait
	for end := l.now + d; l.now < end; {
		do, until := l.Next(l.now)
		if do == Hotspot && was != Hotspot {
			l.hotspots = append(l.hotspots, l.now)
		}
		was = do
		switch do {
		case Join:
			l.joins = append(l.joins, l.now)
			if l.reached(l.now) {
				l.Joined()
				break
			}
			l.now += 15 * second
			l.Failed(l.now)
		case Restart:
			l.restarts++
			l.Seeker, l.now = Seeker{Known: true, NoHotspot: true, Seed: l.Seed}, end
		default:
			if until <= l.now {
				l.t.Fatalf("at %d it wants to %v until %d", l.now, do, until)
			}
			l.now = min(until, end)
		}
	}
}

func newLife(t *testing.T, known bool, reached bool) *life {
	return &life{Seeker: Seeker{Known: known, Seed: 7}, t: t, reached: func(smartmeter.Millis) bool { return reached }}
}

func TestNewNodeWaitsForAPerson(t *testing.T) {
	l := newLife(t, false, false)
	l.live(24 * 60 * minute)
	if len(l.joins) != 0 || len(l.hotspots) != 1 || l.restarts != 0 {
		t.Errorf("joins %v, hotspots %v, %d restarts", l.joins, l.hotspots, l.restarts)
	}
}

// A router that needs three minutes after a power cut finds the node waiting.
func TestWiFiThatComesLate(t *testing.T) {
	l := newLife(t, true, false)
	l.live(10 * minute)
	if len(l.joins) != joinAttempts || len(l.hotspots) != 1 || l.hotspots[0] > 2*minute || l.restarts != 1 {
		t.Fatalf("joins %v, hotspots %v, %d restarts", l.joins, l.hotspots, l.restarts)
	}
	l.live(10 * minute) // the boot after it
	if len(l.joins) < joinAttempts+8 || len(l.hotspots) != 1 {
		t.Errorf("joins %v, hotspots %v", l.joins, l.hotspots)
	}
	l.reached = func(smartmeter.Millis) bool { return true }
	l.live(2 * minute)
	if !l.joined {
		t.Error("it did not join when it could")
	}
}

// Somebody who fills in the form has the time for that.
func TestHotspotStaysWhileItIsUsed(t *testing.T) {
	l := newLife(t, true, false)
	l.live(2 * minute)
	for range 20 {
		l.Used(l.now)
		l.live(minute)
	}
	if l.restarts != 0 || len(l.hotspots) == 0 {
		t.Fatalf("%d restarts, hotspots %v", l.restarts, l.hotspots)
	}
	l.live(4 * minute)
	if l.restarts != 1 {
		t.Errorf("%d restarts after it was left", l.restarts)
	}
}

// Who jams the WiFi of a node gets no form that names another broker, and the
// node comes back by itself.
func TestNoHotspotOnceItWasJoined(t *testing.T) {
	l := newLife(t, true, true)
	l.live(minute)
	l.reached = func(smartmeter.Millis) bool { return false }
	l.Failed(l.now)
	l.live(24 * 60 * minute)
	if len(l.hotspots) != 0 || l.restarts != 0 {
		t.Errorf("hotspots %v, %d restarts", l.hotspots, l.restarts)
	}
	for i := 10; i < len(l.joins); i++ { // 15 s for the attempt, and the pause
		if pause := l.joins[i] - l.joins[i-1] - 15*second; pause < minute || pause > 3*minute/2 {
			t.Fatalf("attempts %v apart", pause)
		}
	}
}

// Nodes that lost their WiFi together come back at different times.
func TestNodesReturnAtDifferentTimes(t *testing.T) {
	seen := map[smartmeter.Millis]bool{}
	for seed := range uint32(100) {
		s := Seeker{Known: true, Seed: seed * 0x9E3779B9}
		s.Joined()
		for range 8 {
			s.Failed(0)
		}
		_, until := s.Next(1)
		seen[until] = true
	}
	if len(seen) < 80 {
		t.Errorf("100 nodes, and %d times", len(seen))
	}
}

func TestBoardThatKeepsNothingOpensNoHotspot(t *testing.T) {
	l := newLife(t, false, false)
	l.NoHotspot = true
	l.live(60 * minute)
	if len(l.hotspots)+len(l.joins) != 0 {
		t.Errorf("joins %v, hotspots %v", l.joins, l.hotspots)
	}
}
