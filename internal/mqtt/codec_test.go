package mqtt

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeErrors(t *testing.T) {
	for _, tt := range []struct {
		name   string
		packet string
		want   error
	}{
		{"remaining length of five bytes", "30 ff ff ff ff 01", errLength},
		{"256 MB announced", "30 ff ff ff 7f", errTooLarge},
		{"CONNECT cut short", "10 04 00 04 4d 51", errTruncated},
		{"CONNECT of another protocol", "10 07 00 04 48 54 54 50 04", errProtocol},
		{"CONNECT 5.0", "10 0d 00 04 4d 51 54 54 05 02 00 3c 00 00 00", errVersion},
		{"CONNECT 3.1", "10 0f 00 06 4d 51 49 73 64 70 03 02 00 3c 00 01 61", errVersion},
		{"CONNECT with flags in its header", "11 0c 00 04 4d 51 54 54 04 02 00 3c 00 00", errFlags},
		{"CONNECT with the reserved flag", "10 0c 00 04 4d 51 54 54 04 03 00 3c 00 00", errConnFlags},
		{"CONNECT with will QoS but no will", "10 0c 00 04 4d 51 54 54 04 0a 00 3c 00 00", errConnFlags},
		{"CONNECT with retained but no will", "10 0c 00 04 4d 51 54 54 04 22 00 3c 00 00", errConnFlags},
		{"CONNECT with will QoS 3", "10 12 00 04 4d 51 54 54 04 1e 00 3c 00 00 00 01 61 00 01 62", errConnFlags},
		{"CONNECT with password but no user name", "10 0f 00 04 4d 51 54 54 04 42 00 3c 00 00 00 01 70", errConnFlags},
		{"CONNECT with bytes left over", "10 0d 00 04 4d 51 54 54 04 02 00 3c 00 00 00", errTrailing},
		{"PUBLISH with QoS 3", "36 05 00 01 61 00 01", errQoS},
		{"PUBLISH with DUP and QoS 0", "38 03 00 01 61", errDup},
		{"PUBLISH with packet id 0", "32 05 00 01 61 00 00", errNoID},
		{"PUBLISH without packet id", "32 03 00 01 61", errTruncated},
		{"PUBLISH to U+0000", "30 03 00 01 00", errText},
		{"PUBLISH to half a surrogate pair", "30 05 00 03 ed a0 80", errText},
		{"PUBACK with packet id 0", "40 02 00 00", errNoID},
		{"PUBACK with flags", "42 02 00 01", errFlags},
		{"SUBSCRIBE without its flag", "80 06 00 01 00 01 61 00", errFlags},
		{"SUBSCRIBE to nothing", "82 02 00 01", errNoFilters},
		{"SUBSCRIBE with QoS 3", "82 06 00 01 00 01 61 03", errQoS},
		{"SUBSCRIBE cut in the second filter", "82 08 00 01 00 01 61 00 00 03", errTruncated},
		{"SUBSCRIBE without the QoS", "82 07 00 01 00 03 61 2f 62", errTruncated},
		{"UNSUBSCRIBE from nothing", "a2 02 00 01", errNoFilters},
		{"PINGREQ with a body", "c0 01 00", errTrailing},
		{"DISCONNECT with flags", "e1 00", errFlags},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := decodeAny(unhex(t, tt.packet), 1<<20); !errors.Is(err, tt.want) {
				t.Errorf("got error %v, want %v", err, tt.want)
			}
		})
	}
}

// decodeAny decodes the first packet of b the way a connection does. It
// returns nil for one that is incomplete.
func decodeAny(b []byte, limit int) (any, error) {
	f, size, err := parseFrame(b, limit)
	if err != nil || size == 0 || size > len(b) {
		return nil, err
	}
	switch f.kind {
	case kindConnect:
		return decodeConnect(f)
	case kindPublish:
		return decodePublish(f)
	case kindPuback:
		return decodePuback(f)
	case kindSubscribe:
		return decodeSubscribe(f)
	case kindUnsubscribe:
		return decodeUnsubscribe(f)
	case kindPingreq, kindDisconnect:
		return nil, decodeEmpty(f)
	default:
		return nil, errUnexpected
	}
}

// encodeAny is the inverse of decodeAny.
func encodeAny(packet any) []byte {
	switch p := packet.(type) {
	case connectPacket:
		return appendConnect(nil, connectOptions{
			id: p.clientID, keepAlive: p.keepAlive, durable: !p.clean,
			username: p.username, password: string(p.password), will: p.will,
		})
	case publishPacket:
		m := &Message{Topic: string(p.topic), Payload: p.payload}
		b := appendPublish(nil, m, p.qos, p.retain, p.id)
		if p.dup {
			b[0] |= 0x08
		}
		return b
	case uint16:
		return appendAck(nil, kindPuback, p)
	case subscribePacket:
		return appendSubscribe(nil, p.id, p.filters...)
	case unsubscribePacket:
		return appendUnsubscribe(nil, p.id, p.filters...)
	default:
		return nil
	}
}

// roundTrip checks that what decodes also encodes, to something that decodes
// to the same.
func roundTrip(t testing.TB, b []byte) {
	first, err := decodeAny(b, 1<<20)
	if err != nil || first == nil {
		return
	}
	second, err := decodeAny(encodeAny(first), 1<<20)
	if err != nil {
		t.Fatalf("%x: decodes to %+v, but that does not decode again: %v", b, first, err)
	}
	if diff := cmp.Diff(first, second, cmp.AllowUnexported(connectPacket{}, publishPacket{}, subscribePacket{}, unsubscribePacket{}, subscription{}), cmp.Comparer(bytes.Equal)); diff != "" {
		t.Fatalf("%x (-first +again):\n%s", b, diff)
	}
}

// validPackets is one of everything that a client may send.
func validPackets() [][]byte {
	will := &Message{Topic: "dev/fridge/state", Payload: []byte("offline"), QoS: 1, Retain: true}
	return [][]byte{
		appendConnect(nil, connectOptions{id: "fridge", keepAlive: 60}),
		appendConnect(nil, connectOptions{id: "fridge", username: "u", password: "p", will: will}),
		appendConnect(nil, connectOptions{durable: true, id: "fridge", level: 5}),
		publishBytes("dev/fridge/tele", telemetry, 0, false, 0),
		publishBytes("dev/fridge/state", "online", 1, true, 10),
		publishBytes("dev/fridge/state", "", 1, true, 11),
		publishBytes("dev//küche 1/", "x", 2, false, 12),
		appendAck(nil, kindPuback, 1),
		appendAck(nil, 5, 1),
		appendSubscribe(nil, 2, subscription{"dev/fridge/set/#", 1}, subscription{"+/+/tele", 0}, subscription{"#", 2}),
		appendSubscribe(nil, 3, subscription{"$share/group/a", 0}),
		appendUnsubscribe(nil, 4, "dev/fridge/set/#", "a"),
		pingreq,
		disconnect,
	}
}

func TestRoundTrip(t *testing.T) {
	for _, p := range validPackets() {
		roundTrip(t, p)
	}
}

func FuzzDecode(f *testing.F) {
	for _, p := range validPackets() {
		f.Add(p)
	}
	f.Add([]byte{0x82, 0x08, 0x00, 0x01, 0x00, 0x03, 0x61, 0x2f, 0x62})
	f.Fuzz(func(t *testing.T, b []byte) { roundTrip(t, b) })
}

// dribble gives out a stream in pieces of random size, as networks do.
type dribble struct {
	rest []byte
	rng  *rand.Rand
}

func (d *dribble) Read(p []byte) (int, error) {
	if len(d.rest) == 0 {
		return 0, errors.New("end of test stream")
	}
	n := min(len(p), len(d.rest), 1+d.rng.IntN(3000))
	copy(p, d.rest[:n])
	d.rest = d.rest[n:]
	return n, nil
}

func TestFrameReaderCutsStream(t *testing.T) {
	rng := seeded(t)
	var stream []byte
	var want [][]byte
	for range 300 {
		p := publishBytes("a/b", string(make([]byte, rng.IntN(1<<rng.IntN(17)))), 0, false, 0)
		stream, want = append(stream, p...), append(want, p)
	}
	r := frameReader{source: &dribble{stream, rng}, limit: 1 << 20}
	for i, p := range want {
		f, err := r.next()
		if err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		if got := append(appendHeader(nil, f.kind, f.flags, len(f.body)), f.body...); !bytes.Equal(got, p) {
			t.Fatalf("packet %d of %d bytes arrived as %d bytes, or changed", i, len(p), len(got))
		}
	}
	if _, err := r.next(); err == nil {
		t.Fatal("a packet after the last")
	}
}

func TestFrameReaderGivesMemoryBack(t *testing.T) {
	large := publishBytes("a", string(make([]byte, 200_000)), 0, false, 0)
	for name, rest := range map[string][]byte{"nothing": nil, "half a packet": pingreq[:1]} {
		t.Run(name+" behind a large packet", func(t *testing.T) {
			r := frameReader{source: bytes.NewReader(append(large, rest...)), limit: 1 << 20}
			if _, err := r.next(); err != nil {
				t.Fatal(err)
			}
			if _, err := r.next(); err == nil {
				t.Fatal("a packet after the last")
			}
			if len(r.buf) > busyBuffer {
				t.Errorf("an idle connection keeps %d bytes", len(r.buf))
			}
		})
	}
}

// TestHeaderReservesNothing announces a large packet, and sends little of it.
func TestHeaderReservesNothing(t *testing.T) {
	large := publishBytes("a", string(make([]byte, 200_000)), 0, false, 0)
	r := frameReader{source: bytes.NewReader(large[:1000]), limit: 1 << 20}
	if _, err := r.next(); err == nil {
		t.Fatal("a packet that never came")
	}
	if len(r.buf) > 4000 {
		t.Errorf("%d bytes reserved for 1000", len(r.buf))
	}
}
