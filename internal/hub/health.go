package hub

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// Health says whether a reading can travel from the broker to the store and
// back to a query, which is more than that the process runs.
type Health struct {
	// Checks holds nil for every part that works, by name.
	Checks map[string]error
	// Notes holds what is worth knowing of parts that work, by name.
	Notes map[string]string
}

// OK reports whether every check passed.
func (s Health) OK() bool {
	for _, err := range s.Checks {
		if err != nil {
			return false
		}
	}
	return true
}

// The probe travels over the same bus as the readings, on a topic that no node
// has and every broker carries: those that begin with $ are the broker's own
// (MQTT 3.1.1 section 4.7.2). All hubs on a broker share it, and each knows its
// marks.
const (
	probeTopic   = "smartmeter/probe"
	probeFilter  = probeTopic
	probeTimeout = 2 * time.Second
)

// Health makes a probe travel the way of a reading. It writes nothing to the
// disk: anybody may ask, as often as they like.
func (h *Hub) Health(ctx context.Context) Health {
	checks := make(map[string]error)
	for name, probe := range map[string]func(context.Context) error{
		"broker": h.probeBus,
		"store":  h.probeStore,
		"nodes":  h.probeRoom,
		"clock":  h.probeClock,
		"disk":   h.probeDisk,
	} {
		limited, cancel := context.WithTimeout(ctx, probeTimeout)
		checks[name] = probe(limited)
		cancel()
	}
	return Health{Checks: checks, Notes: map[string]string{"clock": h.noteClock()}}
}

// probeBus publishes a mark and waits until it comes home.
func (h *Hub) probeBus(ctx context.Context) error {
	mark := rand.Text()
	home := make(chan struct{})
	h.probes.Store(mark, home)
	defer h.probes.Delete(mark)
	if err := h.bus.Publish(smartmeter.Message{Topic: probeTopic, Payload: []byte(mark)}); err != nil {
		return err
	}
	select {
	case <-home:
		return nil
	case <-ctx.Done():
		return errors.New("a message published to the broker does not come back")
	}
}

func (h *Hub) receiveProbe(m smartmeter.Message) {
	if home, ok := h.probes.LoadAndDelete(string(m.Payload)); ok {
		close(home.(chan struct{}))
	}
}

func (h *Hub) probeStore(ctx context.Context) error {
	h.mu.Lock()
	refused := h.storeErr
	h.mu.Unlock()
	return errors.Join(refused, h.store.Check(ctx))
}
