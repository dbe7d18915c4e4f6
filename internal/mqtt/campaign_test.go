package mqtt

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

var (
	seedFlag      = flag.Uint64("mqtt.seed", 0, "seed of the random campaigns, to replay one (0: a new one)")
	mutationsFlag = flag.Int("mqtt.mutations", 50_000, "mutated packets sent to a live broker")
)

// seeded returns a random generator and says how to get the same again.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	return rand.New(rand.NewPCG(campaignSeed(t), 0))
}

func campaignSeed(t testing.TB) uint64 {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("replay with -mqtt.seed=%d", seed)
	return seed
}

// mutant returns a packet with something wrong about it, most of the time.
func mutant(rng *rand.Rand, packets [][]byte) []byte {
	b := slices.Clone(packets[rng.IntN(len(packets))])
	for range 1 + rng.IntN(3) {
		if len(b) == 0 {
			break
		}
		at := rng.IntN(len(b))
		switch rng.IntN(7) {
		case 0: // flip a bit
			b[at] ^= 1 << rng.IntN(8)
		case 1: // truncate
			b = b[:at]
		case 2: // lie about the length of the packet
			if len(b) > 1 {
				b[1] += byte(rng.IntN(5)) - 2
			}
		case 3: // lie about the length of a field, if there is one
			b[at] = byte(rng.IntN(4))
		case 4: // splice
			other := packets[rng.IntN(len(packets))]
			b = append(b[:at:at], other[rng.IntN(len(other)):]...)
		case 5: // insert noise
			noise := make([]byte, rng.IntN(20))
			for i := range noise {
				noise[i] = byte(rng.Uint32())
			}
			b = slices.Insert(b, at, noise...)
		case 6: // an extreme byte
			b[at] = []byte{0x00, 0x7f, 0x80, 0xff}[rng.IntN(4)]
		}
	}
	return b
}

// TestCodecCampaign decodes a million mutated packets; what decodes must encode
// to something that decodes and encodes to the same.
func TestCodecCampaign(t *testing.T) {
	const count = 1_000_000
	rng, packets := seeded(t), validPackets()
	decoded := 0
	for range count {
		b := mutant(rng, packets)
		first, err := decodeAny(b, 1<<20)
		if err != nil || first == nil {
			continue
		}
		decoded++
		encoded := encodeAny(first)
		second, err := decodeAny(encoded, 1<<20)
		if err != nil || !bytes.Equal(encoded, encodeAny(second)) {
			t.Fatalf("%x decodes to %+v, which encodes to %x, which decodes to %+v: %v", b, first, encoded, second, err)
		}
	}
	if decoded < count/20 || decoded > count*19/20 {
		t.Errorf("%d of %d packets decoded: the mutations are too wild or too tame", decoded, count)
	}
}

// A scriptConn is the broker's end of a connection whose client says one thing
// and then leaves, without reading.
type scriptConn struct {
	in     bytes.Reader
	once   sync.Once
	closed chan struct{}
}

func newScriptConn(script []byte) *scriptConn {
	c := &scriptConn{closed: make(chan struct{})}
	c.in.Reset(script)
	return c
}

func (c *scriptConn) Read(p []byte) (int, error) {
	select {
	case <-c.closed:
		return 0, net.ErrClosed
	default:
		return c.in.Read(p)
	}
}

func (c *scriptConn) Write(p []byte) (int, error) {
	select {
	case <-c.closed:
		return 0, net.ErrClosed
	default:
		return len(p), nil
	}
}

func (c *scriptConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func (c *scriptConn) LocalAddr() net.Addr              { return &net.UnixAddr{Name: "script", Net: "unix"} }
func (c *scriptConn) RemoteAddr() net.Addr             { return c.LocalAddr() }
func (c *scriptConn) SetDeadline(time.Time) error      { return nil }
func (c *scriptConn) SetReadDeadline(time.Time) error  { return nil }
func (c *scriptConn) SetWriteDeadline(time.Time) error { return nil }

// TestBrokerCampaign sends mutated packets to a broker, one for each
// connection, most of them in memory and some over TCP, and meanwhile watches a
// healthy client.
func TestBrokerCampaign(t *testing.T) {
	count := *mutationsFlag
	b, address := startBroker(t, Config{Limits: Limits{ConnectionsPerAddress: 10_000}})
	stop := make(chan struct{})
	var healthy, mutants sync.WaitGroup
	healthy.Go(func() { stayHealthy(t, address, stop) })
	seed := campaignSeed(t)
	for worker := range uint64(2) {
		mutants.Go(func() {
			rng, packets := rand.New(rand.NewPCG(seed, worker)), validPackets()
			for i := range count / 2 {
				script := script(rng, packets)
				if i%50 == 0 && i < 100_000 {
					overTCP(t, address, script)
				} else {
					c := newScriptConn(script)
					b.accept(c)
					<-c.closed
				}
				if b.counters.panics.Load() > 0 {
					t.Errorf("panic, probably of %x", script)
					return
				}
			}
		})
	}
	mutants.Wait()
	close(stop)
	healthy.Wait()
	waitFor(t, "all connections gone", func() bool { return b.Stats().Connections == 0 })
	t.Logf("ended: %v", b.Stats().Closed)
}

// script is what a client with one mutated packet says. Its client id is one of
// a few, so that connections are taken over, too.
func script(rng *rand.Rand, packets [][]byte) []byte {
	var s []byte
	if rng.IntN(8) > 0 {
		s = appendConnect(s, connectOptions{
			id:   fmt.Sprintf("mutant-%d", rng.IntN(3)),
			will: &Message{Topic: "dev/mutant", Payload: []byte("offline"), Retain: true},
		})
	}
	for range rng.IntN(3) {
		s = append(s, packets[3+rng.IntN(len(packets)-3)]...)
	}
	s = append(s, mutant(rng, packets)...)
	return append(s, pingreq...)
}

func overTCP(t *testing.T, address string, script []byte) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Error(err)
	}
	// The broker may have closed the connection before all is written or read.
	_, _ = conn.Write(script)
	_ = conn.(*net.TCPConn).CloseWrite()
	if _, err := io.Copy(io.Discard, conn); err != nil && err.(net.Error).Timeout() {
		t.Errorf("broker does not close the connection that said %x", script)
	}
}

// stayHealthy publishes messages to itself until told to stop, each of which
// must come back before the next.
func stayHealthy(t *testing.T, address string, stop chan struct{}) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = conn.Close() }()
	say := func(packet, want []byte) bool {
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Error(err)
		}
		if _, err := conn.Write(packet); err != nil {
			t.Errorf("healthy client cannot write: %v", err)
			return false
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("healthy client got %x, want %x: %v", got, want, err)
			return false
		}
		return true
	}
	ok := say(appendConnect(nil, connectOptions{id: "healthy"}), appendConnack(nil, codeAccepted)) &&
		say(appendSubscribe(nil, 1, subscription{"healthy/+", 0}), appendSuback(nil, 1, []byte{0}))
	for i := 0; ok; i++ {
		select {
		case <-stop:
			return
		default:
		}
		echo := publishBytes("healthy/self", fmt.Sprint(i), 0, false, 0)
		ok = say(echo, echo)
	}
}

func FuzzConnection(f *testing.F) {
	hello := appendConnect(nil, connectOptions{id: "fuzz"})
	for _, p := range validPackets() {
		f.Add(p)
		f.Add(append(slices.Clone(hello), p...))
	}
	b := New(Config{Logger: quiet})
	f.Fuzz(func(t *testing.T, script []byte) {
		c := newScriptConn(script)
		b.accept(c)
		<-c.closed
		if n := b.Stats().Panics; n > 0 {
			t.Fatal("panic")
		}
	})
}
