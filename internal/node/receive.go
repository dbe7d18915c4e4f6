package node

import (
	"unicode/utf8"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// Receive takes a message that came at t. Answers go out at once.
//
// Retained messages are counted and nothing else: what the broker had kept is
// not a wish that anybody has now. Messages on other topics than those of
// Subscriptions are ignored.
func (n *Node) Receive(t smartmeter.Millis, topic string, payload []byte, retained bool) {
	about, err := n.spelling.Parse(topic)
	if err != nil || about.Node != n.id || about.Channel != 0 || !about.Kind.ToNode() {
		return
	}
	if retained {
		n.counts.Retained++
		return
	}
	n.guard(t)
	switch about.Kind {
	case wire.KindRelayCommands:
		err = n.receiveCommand(t, payload)
	case wire.KindConfig:
		err = n.receiveConfig(t, payload)
	case wire.KindLegacyConfig:
		err = n.receiveLegacyConfig(t, payload)
	case wire.KindAck:
		err = n.receiveAck(t, payload)
	case wire.KindRelayLease:
		err = n.receiveLease(payload)
	case wire.KindProtectionReset:
		err = n.receiveReset(t, payload)
	}
	if err != nil {
		n.counts.Undecodable++
	}
}

// shorten cuts a reason to what the contract allows.
func shorten(reason string) string {
	end := wire.MaxReasonLen
	if len(reason) <= end {
		return reason
	}
	for !utf8.RuneStart(reason[end]) {
		end--
	}
	return reason[:end]
}
