package sim_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/iot-smart-meter/smartmeter"
)

// history is what people saw of one relay: what they asked for and were told,
// where it was when they looked, and when it moved by itself. It is checked in
// pieces that begin and end while nobody waits for anything.
type history struct {
	began      bool // where the relay was when this piece began
	operations []porcupine.Operation
	waiting    int           // for an answer
	until      time.Duration // when the last operation is over
}

// operation is what one did with a relay.
type operation struct {
	kind operationKind
	on   bool
}

type operationKind uint8

const (
	asks  operationKind = iota // somebody asked the hub for a position
	looks                      // somebody looked where it is
	moves                      // it moved without the hub
)

// outcome is what somebody was told who asked.
type outcome uint8

const (
	obeyed  outcome = iota // the relay did it, between the request and the answer
	refused                // it did not and never will
	unknown                // it did or did not
)

// relayModel is a relay: a register of one bit.
var relayModel = porcupine.NondeterministicModel{
	Step: func(state, input, output any) []any {
		on, op := state.(bool), input.(operation)
		switch {
		case op.kind == looks && op.on != on:
			return nil
		case op.kind == looks || output.(outcome) == refused:
			return []any{on}
		case output.(outcome) == obeyed:
			return []any{op.on}
		default:
			return []any{op.on, on}
		}
	},
}

// check reports whether the operations of one piece can have happened one
// after the other, each between its beginning and its end.
func (h *history) check() bool {
	model := relayModel
	model.Init = func() []any { return []any{h.began} }
	return porcupine.CheckOperations(model.ToModel(), h.operations)
}

func (h *history) add(op operation, out outcome, call, end time.Duration) {
	h.until = max(h.until, end)
	h.operations = append(h.operations, porcupine.Operation{Input: op, Output: out, Call: int64(call), Return: int64(end)})
}

// moved notes a movement that no command of the hub made.
func (h *history) moved(now time.Duration, on bool) { h.add(operation{moves, on}, obeyed, now, now) }

// looked notes where somebody saw the relay.
func (h *history) looked(now time.Duration, on bool) { h.add(operation{looks, on}, obeyed, now, now) }

// answered notes what somebody was told who asked. What nobody knows may
// happen until it expires.
func (h *history) answered(o *order, state smartmeter.CommandState, now time.Duration) {
	h.waiting--
	if !o.byID {
		return // nothing was sent, or a text, which moves the relay whenever it arrives
	}
	out := unknown
	switch state {
	case smartmeter.CommandAcknowledged:
		out = obeyed
	case smartmeter.CommandRejected, smartmeter.CommandExpired, smartmeter.CommandFailed:
		out = refused
	default:
		now = max(now, o.asked+validFor+slack(validFor))
	}
	h.add(operation{asks, o.on}, out, o.asked, now)
}

// over reports whether a piece can end now, and is long enough to.
func (h *history) over(now time.Duration, least int) bool {
	return h.waiting == 0 && now > h.until && len(h.operations) >= least
}

// next begins the next piece.
func (h *history) next(on bool) {
	h.began, h.operations = on, slices.Delete(h.operations, 0, len(h.operations))
}

// String lists the operations, for who has to find out what went wrong.
func (h *history) String() string {
	var text strings.Builder
	for _, op := range h.operations {
		fmt.Fprintf(&text, "%v .. %v: %+v %v\n", time.Duration(op.Call), time.Duration(op.Return), op.Input, op.Output)
	}
	return text.String()
}
