package hub

import (
	"errors"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// What the hub itself refuses, beside what wire cannot read.
var (
	// errTooMany is for what would make the hub remember too much.
	errTooMany = errors.New("too many nodes, or too many channels of one node")
	// errErasing is for what comes while a device is being erased.
	errErasing = errors.New("the device is being erased")
	// errNoTime is for old samples that nobody can place in time.
	errNoTime = errors.New("an old sample of another boot, without a clock")
)

// strangers gathers the counts of topics without a node, and of all nodes
// beyond the first few thousand.
const strangers smartmeter.NodeID = ""

// refusals counts what could not be understood, by node and reason, and logs
// it once per node and minute. It has its own lock: hostile input must not
// slow the live picture.
type refusals struct {
	log *slog.Logger

	mu     sync.Mutex
	counts map[smartmeter.NodeID]*refusal
}

type refusal struct {
	byReason map[string]uint64
	logged   time.Time
}

func newRefusals(log *slog.Logger) *refusals {
	return &refusals{log: log, counts: make(map[smartmeter.NodeID]*refusal)}
}

// add counts one message that was refused for err.
func (r *refusals) add(id smartmeter.NodeID, err error, m smartmeter.Message, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	entry := r.entry(id)
	entry.byReason[label(err)]++
	if now.Sub(entry.logged) < time.Minute {
		return
	}
	entry.logged = now
	r.log.Warn("refused a message", "topic", m.Topic, "reason", label(err), "bytes", len(m.Payload),
		"begins", string(m.Payload[:min(len(m.Payload), 40)]), "retained", m.Retained, "note", "counted; logged once a minute for each node")
}

func (r *refusals) entry(id smartmeter.NodeID) *refusal {
	entry := r.counts[id]
	if entry == nil && len(r.counts) >= 2*maxNodes {
		id = strangers
		entry = r.counts[id]
	}
	if entry == nil {
		entry = &refusal{byReason: make(map[string]uint64)}
		r.counts[smartmeter.NodeID(strings.Clone(string(id)))] = entry
	}
	return entry
}

// of returns the counts of one node by reason, nil if there are none.
func (r *refusals) of(id smartmeter.NodeID) map[string]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if entry := r.counts[id]; entry != nil {
		return maps.Clone(entry.byReason)
	}
	return nil
}

// Refused returns what could not be understood, by node and reason. The node
// "" gathers topics without a node.
func (h *Hub) Refused() map[smartmeter.NodeID]map[string]uint64 {
	r := h.refused
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[smartmeter.NodeID]map[string]uint64, len(r.counts))
	for id, entry := range r.counts {
		all[id] = maps.Clone(entry.byReason)
	}
	return all
}

// label is a reason as it stands in counters.
func label(err error) string {
	if reason, ok := errors.AsType[wire.Reason](err); ok {
		return reason.String()
	}
	switch {
	case errors.Is(err, errNoTime):
		return "no_time"
	case errors.Is(err, errMoves):
		return "too_many_movements"
	case errors.Is(err, errErasing):
		return "erasing"
	default:
		return "too_many_nodes"
	}
}
