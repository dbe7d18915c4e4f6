package hub

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// SwitchRequest asks for a relay to be moved.
type SwitchRequest struct {
	Device smartmeter.DeviceID
	On     bool
	Cause  smartmeter.Cause
	// Wait is how long Switch waits for the node's answer; 0 does not wait.
	// Schedules and rules must not wait: they would block the very message
	// they wait for.
	Wait time.Duration
	// For is how long an ON lasts: its node ends it, without hub or network.
	// 0 is without end.
	For time.Duration
	// Lease is how long an ON outlives the hub, or the network between them:
	// the hub renews it in good time, and without that the node ends the ON.
	// 0 is without a lease.
	Lease time.Duration
	// NoLease leaves the ON of a load without the lease that its kind has by
	// default.
	NoLease bool
}

// pending is a command that the node has not answered yet.
type pending struct {
	command  smartmeter.Command
	number   uint64 // in the order of the requests to this node
	text     bool   // the fielded form: answered by relay/state alone
	lease    lease  // what an ON is granted
	message  smartmeter.Message
	sent     bool // it is or will be at the broker: an answer may be for it
	sentAt   time.Time
	waits    bool          // it is in line behind another, see turn.go
	turn     *time.Timer   // sends it then; nil if it never waited
	answered chan struct{} // closed when the command is final
	expiry   *time.Timer
}

// Switch asks a node to move its relay and returns the command as it then
// stands. The error is nil when the node acknowledged it, Conflict when it
// refused or cannot be asked, NoAnswer when Wait ended first: the command is
// then still on its way, and its end is told as an event.
//
// For and Lease need a node that announces leases, and no device that must stay
// on: Conflict otherwise, and Invalid for a length out of bounds.
func (h *Hub) Switch(ctx context.Context, req SwitchRequest) (smartmeter.Command, error) {
	if err := req.checkEnd(); err != nil {
		return smartmeter.Command{}, err
	}
	p, err := h.request(req)
	if err != nil {
		return smartmeter.Command{}, err
	}
	// Written before it is sent: a restart knows what may have moved.
	if err := h.store.Sync(ctx); err != nil {
		return h.fail(p, "it could not be recorded", err)
	}
	if failed, err := h.send(ctx, p); err != nil {
		return failed, err
	}
	return h.await(ctx, p, req.Wait)
}

// send hands a command to the broker, unless it has to wait for its turn.
func (h *Hub) send(ctx context.Context, p *pending) (failed smartmeter.Command, err error) {
	h.sending.Lock()
	defer h.sending.Unlock()
	now, err := h.beginSending(ctx, p)
	if err != nil {
		return h.fail(p, "it was not sent", err)
	}
	if !now {
		return failed, nil
	}
	if err := h.bus.Publish(p.message); err != nil {
		return h.fail(p, notTaken, err)
	}
	h.noteSent(p)
	return failed, nil
}

const notTaken = "the broker did not take it"

var errTooLate = errors.New("recording it took too long")

// fail ends a command that did not leave the hub.
func (h *Hub) fail(p *pending, what string, err error) (smartmeter.Command, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settle(p, smartmeter.CommandFailed, what+": "+err.Error())
	return p.command, &smartmeter.Error{Code: smartmeter.Unavailable, Message: "the command did not leave the hub: " + what, Err: err}
}

// request checks and records a command and puts it into the node's words.
func (h *Hub) request(req SwitchRequest) (*pending, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, err := h.find(req.Device)
	if err != nil {
		return nil, err
	}
	req = c.guarded(req)
	now := time.Now()
	order, granted, err := c.order(req, h.at(now))
	if err != nil {
		return nil, err
	}
	if !req.On {
		c.node.lease = lease{} // whatever becomes of this command
	}
	c.node.requests++
	c.node.wanted = true
	if !order.Text {
		c.node.takePlace(now)
	}
	p := &pending{
		lease:    granted,
		number:   c.node.requests,
		text:     order.Text,
		answered: make(chan struct{}),
		message: smartmeter.Message{
			Topic:   h.topics.Topic(c.node.id, wire.KindRelayCommands, 0),
			Payload: wire.AppendCommand(nil, &order),
			QoS:     1,
		},
		command: smartmeter.Command{
			ID:      order.ID,
			Device:  c.device.ID,
			On:      req.On,
			Cause:   req.because(),
			AskedAt: smartmeter.InstantOf(now),
			State:   smartmeter.CommandRequested,
		},
	}
	h.persist(c)
	if err := h.store.PutCommand(p.command); err != nil {
		return nil, unavailable(err)
	}
	c.node.pending[order.ID] = p
	p.expiry = time.AfterFunc(commandValid+commandGrace, func() { h.giveUp(p) })
	c.node.lastCommand = &smartmeter.Command{ID: order.ID} // what follows is told of this one
	h.tell(c, p)
	return p, nil
}

// order puts a command into the form that the node understands, and says what
// an ON is granted, or why the node cannot be asked now.
func (c *channel) order(req SwitchRequest, now moment) (order wire.Command, granted lease, err error) {
	n := c.node
	order = wire.Command{ID: rand.Text(), On: req.On, Text: n.info == nil}
	if err := c.askable(order.Text); err != nil {
		return order, granted, err
	}
	if err := c.takesEnd(req); err != nil || order.Text {
		return order, granted, err
	}
	t, known := n.clock.now(now)
	if !known {
		return order, granted, conflict(c, saidNothing)
	}
	granted = leaseOf(req, n.clock.boot, t, now.wall)
	order.Boot, order.BeforeT = n.clock.boot, t+smartmeter.Millis(commandValid.Milliseconds())
	order.LeaseUntilT = granted.until
	return order, granted, nil
}

const saidNothing = "has said nothing since it came back; try again in a few seconds"

// askable says why a node cannot be asked anything now, nil if it can.
func (c *channel) askable(text bool) error {
	n := c.node
	switch {
	case !c.hasRelay():
		return conflict(c, "has no relay")
	case !n.online:
		return conflict(c, "is offline and would not hear the command")
	case len(n.pending) >= maxPendingCommands:
		return conflict(c, "has not answered the commands before this one; wait a few seconds")
	case !text && time.Since(n.asked[n.places%maxValidCommands]) < commandValid:
		return conflict(c, "was asked many times in a few seconds; wait a few more")
	case text && n.numbered:
		return conflict(c, "has not told yet what it understands; it does when it connects again")
	default:
		return nil
	}
}

func conflict(c *channel, why string) error {
	return smartmeter.NewError(smartmeter.Conflict, "", c.device.Name+" "+why)
}

// await waits for a command's end.
func (h *Hub) await(ctx context.Context, p *pending, wait time.Duration) (smartmeter.Command, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-p.answered:
	case <-timer.C:
	case <-ctx.Done():
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return p.command, p.verdict()
}

// verdict says in an error what the command's state means to who asked.
func (p *pending) verdict() error {
	switch p.command.State {
	case smartmeter.CommandAcknowledged:
		return nil
	case smartmeter.CommandRejected, smartmeter.CommandExpired:
		return smartmeter.NewError(smartmeter.Conflict, "", "the node refused: "+p.command.Reason)
	case smartmeter.CommandRequested, smartmeter.CommandSent:
		return smartmeter.NewError(smartmeter.NoAnswer, "", "the node has not answered yet; the command is still valid for a few seconds")
	default:
		return smartmeter.NewError(smartmeter.NoAnswer, "", p.command.Reason)
	}
}

// takeRelayAck takes a node's answer to a command of ours.
func (h *Hub) takeRelayAck(c *channel, ack wire.CommandAck, now time.Time) {
	if ack.State != smartmeter.RelayUnknown {
		h.hearPosition(c, ack.State, ack.Result == wire.ResultDone, now)
	}
	h.noteDeaf(c, true)
	if c.node.answerReset(ack) {
		return
	}
	p := c.node.pending[ack.ID]
	if p == nil {
		h.answerOther(c, ack, now) // or it comes after we gave up
		return
	}
	state := stateOf(ack.Result)
	if state == smartmeter.CommandAcknowledged {
		c.node.grant(p)
		c.verdict = expect(p.command, now)
	}
	h.settle(p, state, reasonOf(ack))
}

// stateOf returns what a node's answer makes of a command.
func stateOf(r wire.Result) smartmeter.CommandState {
	switch r {
	case wire.ResultDone, wire.ResultDuplicate:
		return smartmeter.CommandAcknowledged
	case wire.ResultExpired:
		return smartmeter.CommandExpired
	default:
		return smartmeter.CommandRejected
	}
}

// reasonOf returns why a node did not obey, "" if it did.
func reasonOf(ack wire.CommandAck) string {
	switch stateOf(ack.Result) {
	case smartmeter.CommandAcknowledged:
		return ""
	case smartmeter.CommandExpired:
		return cmp.Or(ack.Reason, "the command reached it too late")
	default:
		return cmp.Or(ack.Reason, "it gave no reason")
	}
}

// takeRelayState takes a relay's position. For a node that knows no command
// ids it is the answer to the oldest command that waits for one, if that asked
// for this position.
func (h *Hub) takeRelayState(c *channel, on bool, now time.Time) {
	h.hearPosition(c, smartmeter.RelayStateOf(on), c.node.awaits(on), now)
	h.answerTexts(c, on, now)
	if p := c.node.oldestText(); p != nil && p.command.On == on {
		h.noteDeaf(c, true)
		c.verdict = expect(p.command, now)
		h.settle(p, smartmeter.CommandAcknowledged, "")
	}
}

// oldestText returns the first text command that is sent and not answered.
func (n *node) oldestText() *pending {
	var oldest *pending
	for _, p := range n.pending {
		if p.text && p.sent && (oldest == nil || p.number < oldest.number) {
			oldest = p
		}
	}
	return oldest
}

// noteSent notes that the broker took the command. The answer may be here
// already.
func (h *Hub) noteSent(p *pending) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.command.State == smartmeter.CommandRequested {
		p.command.State = smartmeter.CommandSent
		h.record(p)
	}
}

// giveUp ends a command that nobody answered: the relay may have moved or not.
func (h *Hub) giveUp(p *pending) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.command.State.Final() {
		return
	}
	if !p.sent {
		h.settle(p, smartmeter.CommandFailed, errTooLate.Error())
		return
	}
	if c := h.devices[p.command.Device]; c != nil {
		c.node.lease = lease{} // who knows which one holds: let it end
		h.setRelay(c.node, smartmeter.RelayUnknown)
		h.noteDeaf(c, false)
	}
	h.settle(p, smartmeter.CommandUnknown, fmt.Sprintf("the node did not answer within %v; its relay may have moved or not", commandValid+commandGrace))
}

// settle ends a command, once. The caller holds mu.
func (h *Hub) settle(p *pending, state smartmeter.CommandState, reason string) {
	if p.command.State.Final() {
		return
	}
	p.command.State, p.command.Reason = state, reason
	p.expiry.Stop()
	if p.turn != nil {
		p.turn.Stop()
	}
	close(p.answered)
	h.record(p)
}

// record keeps a command's new state and tells it. The caller holds mu.
func (h *Hub) record(p *pending) {
	c := h.devices[p.command.Device]
	if c == nil || c.erasing {
		return
	}
	h.note(h.store.PutCommand(p.command))
	if p.command.State.Final() {
		delete(c.node.pending, p.command.ID)
		c.node.nextTurn()
	}
	h.tell(c, p)
}

// tell shows the command to whoever watches. The caller holds mu.
func (h *Hub) tell(c *channel, p *pending) {
	command := p.command
	if last := c.node.lastCommand; last != nil && last.ID == command.ID {
		c.node.lastCommand = &command
	}
	h.events.publish(smartmeter.EventCommand, c.status(), &command)
}
