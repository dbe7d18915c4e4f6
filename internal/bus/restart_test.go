package bus_test

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/bus"
)

// Mosquitto dies ten times under load, and nothing that it acknowledged while
// the bus was subscribed is lost, comes twice or out of order.
//
// In one connection of the publisher, a number that was heard proves that the
// bus was subscribed: from there on every acknowledged number must be heard.
// The publisher stays a few numbers ahead of the bus and no more: what waits
// in the broker, or in its kernel, dies with it, and no client can help that.
func TestBrokerKilledUnderLoad(t *testing.T) {
	const kills, perLife = 10, 150
	m := startMosquitto(t)
	b := newExternal(t, m.address, bus.ExternalConfig{})
	r := &recorder{}
	if err := b.Subscribe("load/+", r.take); err != nil {
		t.Fatal(err)
	}
	run(t, b)
	p := startPublisher(t, m.address, r)
	for range kills {
		heard := r.count.Load()
		eventually(t, "the bus hears the publisher again", func() bool { return r.count.Load() > heard })
		acked := p.count.Load()
		eventually(t, "load", func() bool { return p.count.Load() > acked+perLife })
		m.kill()
		m.start()
	}
	p.stop()
	join(t, m.address).leave("load/0", "-1") // heard even if the bus is on its way back
	eventually(t, "the end", func() bool { return r.last.Load() == -1 })
	r.check(t, p.acknowledged)
}

// number is one of the publisher's messages: the nth of all, in the given
// connection.
type number struct{ connection, n int }

// recorder is the handler: it hears numbers.
type recorder struct {
	count, last, connection atomic.Int64
	heard                   []number // read it after last
}

func (r *recorder) take(m smartmeter.Message) {
	var x number
	if _, err := fmt.Sscanf(m.Topic, "load/%d", &x.connection); err != nil {
		panic(err)
	}
	n, err := strconv.Atoi(string(m.Payload))
	if err != nil {
		panic(err)
	}
	x.n = n
	if n >= 0 {
		r.heard = append(r.heard, x)
	}
	r.count.Add(1)
	r.last.Store(int64(n))
	r.connection.Store(int64(x.connection))
}

func (r *recorder) check(t *testing.T, acknowledged []number) {
	t.Helper()
	first, heard := make(map[int]int), make(map[number]bool)
	for i, x := range r.heard {
		if i > 0 && x.n <= r.heard[i-1].n {
			t.Fatalf("%d came after %d", x.n, r.heard[i-1].n)
		}
		if _, known := first[x.connection]; !known {
			first[x.connection] = x.n
		}
		heard[x] = true
	}
	owed, lost := 0, 0
	for _, x := range acknowledged {
		if from, subscribed := first[x.connection]; !subscribed || x.n < from {
			continue
		}
		owed++
		if !heard[x] {
			lost++
		}
	}
	t.Logf("%d acknowledged, %d of them with the bus subscribed; %d heard, %d lost", len(acknowledged), owed, len(r.heard), lost)
	if lost > 0 || owed < 1000 {
		t.Errorf("%d of %d messages were lost", lost, owed)
	}
}

// publisher publishes numbers with QoS 1 and connects anew whenever the broker
// is gone. It sends no number twice.
type publisher struct {
	address      string
	bus          *recorder
	over         chan struct{}
	stop         func()
	count        atomic.Int64 // of acknowledged
	acknowledged []number     // read it after stop
	next         int
}

func startPublisher(t *testing.T, address string, bus *recorder) *publisher {
	t.Helper()
	p := &publisher{address: address, bus: bus, over: make(chan struct{})}
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for connection := 1; !p.stopped(); connection++ {
			p.publish(connection)
		}
	})
	p.stop = sync.OnceFunc(func() { close(p.over); publishing.Wait() })
	t.Cleanup(p.stop)
	return p
}

// stopped takes a moment to tell.
func (p *publisher) stopped() bool {
	select {
	case <-p.over:
		return true
	case <-time.After(100 * time.Microsecond):
		return false
	}
}

// ahead is how many numbers the bus has not heard or the broker not
// acknowledged at any time. A new TCP connection carries 10 segments without
// waiting for anything.
const ahead = 8

// publish publishes until the connection breaks, or it is to stop.
func (p *publisher) publish(connection int) {
	client := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + p.address).SetAutoReconnect(false).
		SetProtocolVersion(4).SetWriteTimeout(100 * time.Millisecond).SetConnectTimeout(time.Second))
	if token := client.Connect(); token.Wait() && token.Error() != nil {
		return
	}
	defer client.Disconnect(100)
	var waiting [ahead]paho.Token
	for ; ; p.next++ {
		oldest := &waiting[p.next%ahead]
		if *oldest != nil {
			if (*oldest).Wait(); (*oldest).Error() != nil {
				return
			}
			p.acknowledged = append(p.acknowledged, number{connection, p.next - ahead})
			p.count.Add(1)
		}
		if !p.awaitBus(client, connection) {
			return
		}
		*oldest = client.Publish(fmt.Sprintf("load/%d", connection), 1, false, fmt.Sprint(p.next))
	}
}

// awaitBus waits until the bus is not too far behind. It may not have
// subscribed yet; then a pause must do.
func (p *publisher) awaitBus(client paho.Client, connection int) bool {
	for client.IsConnected() && !p.stopped() {
		if int(p.bus.connection.Load()) != connection || p.next-int(p.bus.last.Load()) < ahead {
			return true
		}
	}
	return false
}
