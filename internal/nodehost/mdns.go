package nodehost

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"time"
)

// everyone is where all that speak multicast DNS listen: RFC 6762 section 3.
var everyone = netip.MustParseAddrPort("224.0.0.251:5353")

const (
	localSuffix = ".local"
	// askAgain is the time between two questions: RFC 6762 section 5.2.
	askAgain = time.Second
	// longestMessage is more than a name's address needs.
	longestMessage = 1500
)

// errNoName is why a message is no answer.
var errNoName = errors.New("not an answer to the question")

// lookupLocal finds the IPv4 address of a host like hub.local by asking the
// network, as a simple resolver does that keeps nothing: RFC 6762 section 5.1.
// The resolver of a program without C libraries would ask a name server, which
// does not know. It asks until ctx ends.
func lookupLocal(ctx context.Context, host string, responders netip.AddrPort) (netip.Addr, error) {
	conn, err := net.ListenUDP("udp4", nil)
	if err != nil {
		return netip.Addr{}, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	id := uint16(rand.Uint32())
	question, err := appendQuestion(nil, id, host)
	if err != nil {
		return netip.Addr{}, err
	}
	for ctx.Err() == nil {
		if _, err := conn.WriteToUDPAddrPort(question, responders); err != nil {
			return netip.Addr{}, fmt.Errorf("cannot ask the network for %s: %w", host, err)
		}
		if addr, err := hearAnswer(conn, id, host); err == nil {
			return addr, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("nobody on this network is called %s: check the name, or give an address", host)
}

// hearAnswer waits for the answer until it is time to ask again.
func hearAnswer(conn *net.UDPConn, id uint16, host string) (netip.Addr, error) {
	if err := conn.SetReadDeadline(time.Now().Add(askAgain)); err != nil {
		return netip.Addr{}, err
	}
	for message := make([]byte, longestMessage); ; {
		n, _, err := conn.ReadFromUDPAddrPort(message)
		if err != nil {
			return netip.Addr{}, err
		}
		if addr, err := parseAnswer(message[:n], id, host); err == nil {
			return addr, nil
		}
	}
}

// The parts of a DNS message: RFC 1035 section 4.1.
const (
	headerLen  = 12
	isResponse = 0x8000
	typeA      = 1
	classIN    = 1
	// classMask leaves out the bit that multicast DNS has another use for.
	classMask = 0x7FFF
)

// appendQuestion appends a question for the address of a host.
func appendQuestion(dst []byte, id uint16, host string) ([]byte, error) {
	be := binary.BigEndian
	dst = be.AppendUint16(dst, id)
	dst = append(dst, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) // one question
	for label := range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if len(label) < 1 || len(label) > 63 {
			return nil, fmt.Errorf("%q is not the name of a host", host)
		}
		dst = append(append(dst, byte(len(label))), label...)
	}
	return append(dst, 0, 0, typeA, 0, classIN), nil
}

// parseAnswer returns the address that a message gives for a host.
func parseAnswer(message []byte, id uint16, host string) (netip.Addr, error) {
	be := binary.BigEndian
	if len(message) < headerLen || be.Uint16(message) != id || be.Uint16(message[2:])&isResponse == 0 {
		return netip.Addr{}, errNoName
	}
	questions, answers := be.Uint16(message[4:]), be.Uint16(message[6:])
	at := headerLen
	for range questions {
		_, next, ok := nameAt(message, at)
		if at = next + 4; !ok {
			return netip.Addr{}, errNoName
		}
	}
	for range answers {
		name, next, ok := nameAt(message, at)
		if !ok || next+10 > len(message) {
			return netip.Addr{}, errNoName
		}
		record, data := message[next:next+10], next+10
		at = data + int(be.Uint16(record[8:]))
		isAddress := be.Uint16(record) == typeA && be.Uint16(record[2:])&classMask == classIN && at == data+4
		if at <= len(message) && isAddress && strings.EqualFold(name, strings.TrimSuffix(host, ".")) {
			return netip.AddrFrom4([4]byte(message[data:at])), nil
		}
	}
	return netip.Addr{}, errNoName
}

// nameAt reads a name and returns where the message goes on after it. Names may
// end in a pointer to an earlier place: RFC 1035 section 4.1.4.
func nameAt(message []byte, at int) (name string, next int, ok bool) {
	var labels []string
	for next = -1; at < len(message); {
		length := int(message[at])
		switch {
		case length == 0:
			if next < 0 {
				next = at + 1
			}
			return strings.Join(labels, "."), next, true
		case length >= 0xC0 && at+1 < len(message):
			target := length&0x3F<<8 | int(message[at+1])
			if next < 0 {
				next = at + 2
			}
			if target >= at { // only back, so that it ends
				return "", 0, false
			}
			at = target
		case length <= 63 && at+1+length <= len(message) && len(labels) < 128:
			labels = append(labels, string(message[at+1:at+1+length]))
			at += 1 + length
		default:
			return "", 0, false
		}
	}
	return "", 0, false
}
