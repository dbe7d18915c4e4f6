package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// recorder is a node of protocol 1 that keeps every sample until the hub says
// that it is durable, over connections and boots, and sends it again. It
// remembers all that it ever measured: each sample has a number of its own, in
// the energy register, and the numbers rise with time.
type recorder struct {
	id     smartmeter.NodeID
	chance *rand.Rand
	client mqtt.Client
	// acknowledged is called for every acknowledgement.
	acknowledged func()

	mu      sync.Mutex // guards what follows: acknowledgements come when they like
	boot    smartmeter.BootID
	booted  smartmeter.Instant
	kept    map[smartmeter.BootID][]smartmeter.Sample // oldest first
	seq     map[smartmeter.BootID]uint32              // of the last sample
	samples map[smartmeter.WattHour]smartmeter.Sample
	live    smartmeter.WattHour // number of the last sample that was sent as it was measured
	past    smartmeter.WattHour // number of the last one of a day that is over
	acked   []smartmeter.WattHour
	wrong   error
}

const (
	// firstLive is above all numbers of days that are over.
	firstLive = 5_000_000
	// batch is how many samples share a message of the backlog.
	batch = 32
)

func newRecorder(id smartmeter.NodeID, seed uint64) *recorder {
	return &recorder{
		id:      id,
		chance:  rand.New(rand.NewPCG(seed, uint64(len(id))<<8|uint64(id[len(id)-1]))),
		kept:    make(map[smartmeter.BootID][]smartmeter.Sample),
		seq:     make(map[smartmeter.BootID]uint32),
		samples: make(map[smartmeter.WattHour]smartmeter.Sample),
		live:    firstLive,
	}
}

func now() smartmeter.Instant { return smartmeter.InstantOf(time.Now()) }

// reboot has the node number its samples anew from here on.
func (r *recorder) reboot() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.boot, r.booted = smartmeter.BootID(r.chance.Uint32()|1), now()
}

// measure makes the next sample of a boot. Its values follow from its number.
func (r *recorder) measure(boot smartmeter.BootID, number smartmeter.WattHour, at, booted smartmeter.Instant) {
	r.seq[boot]++
	s := smartmeter.Sample{
		Measurement: smartmeter.Measurement{
			Has:         smartmeter.AllQuantities,
			Voltage:     smartmeter.Decivolt(2200 + number%200),
			Current:     smartmeter.Milliamp(number % 50_000),
			Power:       smartmeter.Deciwatt(number % 100_000),
			Energy:      number,
			Frequency:   smartmeter.Decihertz(495 + number%10),
			PowerFactor: smartmeter.Hundredth(number % 101),
		},
		Boot: boot,
		Seq:  r.seq[boot],
		T:    smartmeter.Millis(at - booted),
		At:   at,
	}
	r.samples[number] = s
	r.kept[boot] = append(r.kept[boot], s)
}

// measureNow makes a sample of now, later than the one before.
func (r *recorder) measureNow() {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := max(now(), r.samples[r.live].At+1)
	r.live++
	r.measure(r.boot, r.live, at, r.booted)
}

// measurePast makes samples of a boot that is over, some days ago, which the
// node could not send then.
func (r *recorder) measurePast(n int, begin smartmeter.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	boot := smartmeter.BootID(r.chance.Uint32()|1) + 1
	at := func() smartmeter.Instant { return begin + smartmeter.Instant(r.past)*5000 }
	booted := at()
	for range n {
		r.past++
		r.measure(boot, r.past, at(), booted)
	}
}

// connect joins a broker, says what the node is and sends what it keeps, after
// a sample of now, by which the hub learns its clock.
func (r *recorder) connect(broker string) error {
	r.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + broker).SetClientID(string(r.id)).
		SetAutoReconnect(false).SetWriteTimeout(patience).SetOrderMatters(true))
	info := wire.AppendInfo(nil, &wire.Info{
		Proto: wire.Protocol, Firmware: "1", Model: "recorder", Boot: r.boot,
		T: smartmeter.Millis(now() - r.booted), Caps: []wire.Capability{wire.CapBacklog}, Channels: 1,
	})
	if err := settled(r.client.Connect()); err != nil {
		return err
	}
	if err := settled(r.client.Subscribe("dev/"+string(r.id)+"/pzem/ack", 1, r.forget)); err != nil {
		return err
	}
	if err := settled(r.client.Publish("dev/"+string(r.id)+"/info", 1, true, info)); err != nil {
		return err
	}
	backlog := r.backlog()
	if err := r.sendNow(); err != nil {
		return err
	}
	for _, samples := range backlog {
		if err := settled(r.client.Publish("dev/"+string(r.id)+"/pzem/backlog", 1, false, wire.AppendBacklog(nil, samples))); err != nil {
			return err
		}
	}
	return nil
}

// settled waits for the broker's word.
func settled(token mqtt.Token) error {
	if !token.WaitTimeout(patience) {
		return errors.New("the broker says nothing, and the connection does not end")
	}
	return token.Error()
}

// backlog returns what the node keeps, in messages of one boot each.
func (r *recorder) backlog() (messages [][]smartmeter.Sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, kept := range r.kept {
		first := kept[0].Seq
		for len(kept) > 0 {
			message := append([]smartmeter.Sample(nil), kept[:min(batch, len(kept))]...)
			for i := range message {
				message[i].First = first
			}
			messages, kept = append(messages, message), kept[len(message):]
		}
	}
	return messages
}

// sendNow measures and sends a sample.
func (r *recorder) sendNow() error {
	r.measureNow()
	r.mu.Lock()
	s := r.samples[r.live]
	s.First = s.Seq
	if kept := r.kept[r.boot]; len(kept) > 0 {
		s.First = kept[0].Seq
	}
	r.mu.Unlock()
	return settled(r.client.Publish("dev/"+string(r.id)+"/pzem/metrics", 1, false, wire.AppendMetrics(nil, &s)))
}

// forget takes the hub's word that samples are durable.
func (r *recorder) forget(_ mqtt.Client, m mqtt.Message) {
	defer r.acknowledged()
	r.mu.Lock()
	defer r.mu.Unlock()
	ack, err := wire.DecodeAck(m.Payload())
	if err == nil && ack.Seq > r.seq[ack.Boot] {
		err = fmt.Errorf("%s: sample %d of boot %v is acknowledged, and was never measured", r.id, ack.Seq, ack.Boot)
	}
	r.wrong = errors.Join(r.wrong, err)
	kept := r.kept[ack.Boot]
	for len(kept) > 0 && kept[0].Seq <= ack.Seq {
		r.acked, kept = append(r.acked, kept[0].Energy), kept[1:]
	}
	if r.kept[ack.Boot] = kept; len(kept) == 0 {
		delete(r.kept, ack.Boot)
	}
}

// unacknowledged returns how many samples that the node measured before wait
// for their acknowledgement.
func (r *recorder) unacknowledged(before smartmeter.Instant) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, kept := range r.kept {
		for _, s := range kept {
			if s.At < before {
				n++
			}
		}
	}
	return n
}

// leave ends the connection without a word.
func (r *recorder) leave() {
	if r.client != nil {
		r.client.Disconnect(0)
	}
}

// isKept says what is wrong with what a hub has of the recorder's samples: all
// that were acknowledged must be there, each once, in order, with its own
// values, and nothing else.
func (r *recorder) isKept(hub *process) error {
	stored, err := hub.recorded(r.id)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.wrong != nil {
		return r.wrong
	}
	found := make(map[smartmeter.WattHour]bool, len(stored))
	last := smartmeter.WattHour(0)
	for _, s := range stored {
		if s.Energy <= last {
			return fmt.Errorf("%s: sample %d comes after %d", r.id, s.Energy, last)
		}
		last = s.Energy
		found[last] = true
		if made := r.samples[s.Energy]; s.At != made.At || s.Power != made.Power || s.Voltage != made.Voltage {
			return fmt.Errorf("%s: stored is %+v, measured was %+v", r.id, s, made)
		}
	}
	var lost []string
	for _, number := range r.acked {
		if !found[number] {
			lost = append(lost, fmt.Sprint(number))
		}
	}
	if len(lost) > 0 {
		return fmt.Errorf("%s: %d of %d acknowledged samples are lost: %s", r.id, len(lost), len(r.acked), strings.Join(lost, " "))
	}
	return nil
}

// recorded returns what a hub has of a node since the days that are over, page
// by page.
func (p *process) recorded(id smartmeter.NodeID) ([]smartmeter.Sample, error) {
	p.t.Helper()
	var all []smartmeter.Sample
	path := fmt.Sprintf("/api/v1/devices/%s/readings?quantities=voltage,power,energy_wh&from=%s", id, time.Now().Add(-daysOver).UTC().Format(time.RFC3339))
	for path != "" {
		var page struct {
			T       []smartmeter.Instant
			Voltage []float64
			Power   []float64
			Energy  []smartmeter.WattHour `json:"energy_wh"`
			Next    string
		}
		if status := p.call("GET", path, "", &page); status != 200 {
			return nil, fmt.Errorf("GET %s: %d", path, status)
		}
		for i := range page.T {
			all = append(all, smartmeter.Sample{At: page.T[i], Measurement: smartmeter.Measurement{
				Voltage: smartmeter.Decivolt(page.Voltage[i]*10 + 0.5), Power: smartmeter.Deciwatt(page.Power[i]*10 + 0.5), Energy: page.Energy[i],
			}})
		}
		path = page.Next
	}
	return all, nil
}
