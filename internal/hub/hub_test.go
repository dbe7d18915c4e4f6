package hub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
	"github.com/iot-smart-meter/smartmeter/internal/store"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lab is a hub with a real store, and a bus that the test plays.
type lab struct {
	*hub.Hub
	t     *testing.T
	bus   *fakeBus
	store *store.Store
	// watched is the store as the hub sees it.
	watched *watchedStore
	clock   hub.Clock // of the machine; a right one unless told
	disk    hub.Disk  // that it watches
	// describe is what is known of devices before anybody says; nil for nothing.
	describe func(smartmeter.DeviceID) (smartmeter.Device, bool)
	log      lockedBuffer
	dir      string
	stop     func()
}

// watchedStore lets a test see what the hub does with the store.
type watchedStore struct {
	*store.Store
	duringErase func() // called while a device is erased; nil for nothing
	eraseErr    error  // what the store says when it has erased one
}

func (s *watchedStore) EraseDevice(ctx context.Context, d smartmeter.Device) error {
	if s.duringErase != nil {
		s.duringErase()
	}
	return errors.Join(s.Store.EraseDevice(ctx, d), s.eraseErr)
}

// lockedBuffer takes the log.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.Reset()
}

// count returns how often what stands in the log.
func (b *lockedBuffer) count(what string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), what)
}

// newLab runs f with a fresh hub in virtual time.
func newLab(t *testing.T, f func(*testing.T, *lab)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{t: t, dir: dir}
		l.start()
		f(t, l)
		l.stop()
	})
}

func (l *lab) start() {
	l.t.Helper()
	log := slog.New(slog.DiscardHandler)
	var err error
	if l.store, err = store.Open(l.t.Context(), store.Config{Dir: l.dir, Logger: log}); err != nil {
		l.t.Fatal(err)
	}
	l.bus = &fakeBus{handlers: make(map[string]func(smartmeter.Message))}
	l.watched = &watchedStore{Store: l.store}
	l.log.Reset()
	logger := slog.New(slog.NewTextHandler(&l.log, nil))
	if l.Hub, err = hub.New(l.t.Context(), hub.Config{Bus: l.bus, Store: l.watched, Clock: l.clock, Disk: l.disk, Describe: l.describe, Logger: logger}); err != nil {
		l.t.Fatal(err)
	}
	if err := l.Hub.Start(); err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(l.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	l.stop = func() {
		l.t.Helper()
		cancel()
		if err := <-ended; err != nil {
			l.t.Error(err)
		}
		if err := l.store.Close(); err != nil {
			l.t.Error(err)
		}
	}
}

func (l *lab) restart() {
	l.t.Helper()
	l.stop()
	l.start()
}

// says delivers what a node publishes now.
func (l *lab) says(topic, payload string) {
	l.bus.deliver(smartmeter.Message{Topic: "dev/" + topic, Payload: []byte(payload)})
}

// kept delivers what the broker had kept.
func (l *lab) kept(topic, payload string) {
	l.bus.deliver(smartmeter.Message{Topic: "dev/" + topic, Payload: []byte(payload), Retained: true})
}

// metrics delivers a sample of a node of protocol 1.
func (l *lab) metrics(node string, seq, t int, watts float64) {
	l.says(node+"/pzem/metrics", fmt.Sprintf(
		`{"voltage":230.1,"current":1.234,"power":%.1f,"frequency":50.1,"pf":0.97,"energy_wh":12345,"boot":"0000beef","seq":%d,"first":1,"t":%d}`, watts, seq, t))
}

// introduce makes a node of protocol 1 with a relay known and online, its boot
// being now.
func (l *lab) introduce(node string) {
	l.says(node+"/info", `{"proto":1,"fw":"test","model":"test","boot":"0000beef","t":0,"config_rev":0,"caps":["relay"],"channels":1}`)
}

func (l *lab) device(id smartmeter.DeviceID) smartmeter.DeviceStatus {
	l.t.Helper()
	d, err := l.Device(id)
	if err != nil {
		l.t.Fatalf("device %s: %v", id, err)
	}
	return d
}

func (l *lab) readings(id smartmeter.DeviceID) []smartmeter.Reading {
	l.t.Helper()
	page, err := l.Readings(l.t.Context(), id, 0, 1<<60, 1000)
	if err != nil {
		l.t.Fatal(err)
	}
	return page.Readings
}

// fakeBus delivers what a test says and remembers what the hub publishes.
type fakeBus struct {
	handlers map[string]func(smartmeter.Message)

	mu        sync.Mutex
	published []smartmeter.Message
	// answer, if not nil, is called for every publication, like a node would.
	answer func(smartmeter.Message)
	fails  error
}

func (b *fakeBus) Subscribe(filter string, handle func(smartmeter.Message)) error {
	b.handlers[filter] = handle
	return nil
}

func (b *fakeBus) Publish(m smartmeter.Message) error {
	b.mu.Lock()
	b.published = append(b.published, m)
	answer, fails := b.answer, b.fails
	b.mu.Unlock()
	if fails != nil {
		return fails
	}
	b.deliver(m)
	if answer != nil {
		answer(m)
	}
	return nil
}

func (b *fakeBus) deliver(m smartmeter.Message) {
	for filter, handle := range b.handlers {
		if strings.HasPrefix(m.Topic, strings.TrimRight(filter, "+/#")) {
			handle(m)
		}
	}
}

func (b *fakeBus) sent(topic string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var payloads []string
	for _, m := range b.published {
		if m.Topic == "dev/"+topic {
			payloads = append(payloads, string(m.Payload))
		}
	}
	return payloads
}

func TestReadingIsShownAndKeptBitForBit(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		time.Sleep(5 * time.Second)
		l.metrics("n1", 1, 5000, 264.6)
		want := smartmeter.Reading{
			Node: "n1", At: smartmeter.InstantOf(time.Now()), Boot: 0xbeef, Seq: 1,
			Measurement: smartmeter.Measurement{
				Has:     smartmeter.AllQuantities,
				Voltage: 2301, Current: 1234, Power: 2646, Energy: 12345, Frequency: 501, PowerFactor: 97,
			},
		}
		d := l.device("n1")
		if !d.Online || d.Latest == nil || *d.Latest != want {
			t.Errorf("shown: online %v, %+v; want %+v", d.Online, d.Latest, want)
		}
		if got := l.readings("n1"); !slices.Equal(got, []smartmeter.Reading{want}) {
			t.Errorf("kept: %+v, want %+v", got, want)
		}
	})
}

// The network may only ever delay, so the fastest message shows the true
// offset between the clocks.
func TestDelayDoesNotMoveSamplesInTime(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		boot := time.Now()
		l.introduce("n1")
		time.Sleep(5 * time.Second)
		l.metrics("n1", 1, 5000, 1)
		time.Sleep(8 * time.Second) // 3 s late
		l.metrics("n1", 2, 10_000, 2)
		got := l.readings("n1")
		for i, want := range []time.Time{boot.Add(5 * time.Second), boot.Add(10 * time.Second)} {
			if got[i].At != smartmeter.InstantOf(want) {
				t.Errorf("sample %d is at %v, want %v", i+1, got[i].At.Time(), want)
			}
		}
	})
}

func TestFieldedNode(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.says("ESP32-1/pzem/metrics", `{"voltage":220.5,"current":1.2,"power":264.6}`)
		l.says("ESP32-1/pzem/energy", `12.34`)
		d := l.device("ESP32-1")
		want := smartmeter.Measurement{
			Has:     smartmeter.Voltage | smartmeter.Current | smartmeter.Power | smartmeter.Energy,
			Voltage: 2205, Current: 1200, Power: 2646, Energy: 12340,
		}
		if d.Latest.Measurement != want || d.Latest.Timing != smartmeter.ByArrival {
			t.Errorf("latest %+v, want %+v by arrival", d.Latest, want)
		}
		if got := l.readings("ESP32-1"); len(got) != 1 || got[0].Measurement != want {
			t.Errorf("kept %+v", got) // the same millisecond: one row with both
		}
	})
}

// The fielded sketch sends its energy between its metrics; pages judge the age
// of a value by the interval of the metrics.
func TestIntervalIsThatOfThePower(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		const metrics = `{"voltage":220.5,"current":1.2,"power":264.6}`
		l.says("n1/pzem/metrics", metrics)
		time.Sleep(2 * time.Second)
		l.says("n1/pzem/energy", "12.34")
		time.Sleep(time.Second)
		l.says("n1/pzem/metrics", metrics)
		if got := l.device("n1").Interval; got != 3000 {
			t.Errorf("interval %d ms, want 3000", got)
		}
		l.says("n1/status", "Offline")
		time.Sleep(time.Hour)
		l.says("n1/pzem/metrics", metrics)
		if got := l.device("n1").Interval; got != 3000 {
			t.Errorf("interval %d ms after a pause, want 3000", got)
		}
	})
}

func TestFinerRegisterWins(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		l.metrics("n1", 1, 1, 1)
		l.says("n1/pzem/energy", `12.34`)
		if got := l.device("n1").Latest.Energy; got != 12345 {
			t.Errorf("energy %d Wh, want the sample's 12345", got)
		}
	})
}

func TestRetainedIsNeverFresh(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.kept("n1/status", "Online")
		l.kept("n1/heartbeat", "Alive")
		l.kept("n1/pzem/metrics", `{"voltage":220.5,"current":1.2,"power":264.6}`)
		l.kept("n1/pzem/energy", `12.34`)
		l.kept("n1/relay/state", `1`)
		l.kept("n1/info", `{"proto":1,"boot":"0000beef","t":1}`)
		if got := l.Devices(); len(got) != 0 {
			t.Errorf("kept messages made devices: %+v", got)
		}
		l.says("n1/status", "Offline")
		l.says("n1/status", "Online")
		l.says("n1/status", "Offline")
		l.kept("n1/status", "Online")
		l.kept("n1/pzem/metrics", `{"voltage":220.5,"current":1.2,"power":264.6}`)
		if d := l.device("n1"); d.Online || d.Latest != nil {
			t.Errorf("online %v, latest %+v after kept messages", d.Online, d.Latest)
		}
		if got := l.readings("n1"); len(got) != 0 {
			t.Errorf("kept metrics were stored: %+v", got)
		}
	})
}

func TestPresence(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		online := func(want bool, when string) {
			t.Helper()
			if got := l.device("n1").Online; got != want {
				t.Errorf("%s: online %v, want %v", when, got, want)
			}
		}
		l.says("n1/heartbeat", "Alive")
		online(true, "after a heartbeat")
		l.says("n1/status", "Offline")
		online(false, "after the last will")
		l.says("n1/status", "Online")
		online(true, "back again")
		time.Sleep(89 * time.Second)
		online(true, "before three heartbeats are missed")
		time.Sleep(3 * time.Second)
		online(false, "after three missed heartbeats")
	})
}

func TestRestartRemembers(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		l.metrics("n1", 1, 1, 42)
		name := "Kettle"
		if _, err := l.ChangeDevice(t.Context(), "n1", hub.DeviceChange{Name: &name}); err != nil {
			t.Fatal(err)
		}
		before := l.device("n1")
		l.restart()
		after := l.device("n1")
		if after.Online || after.LastSeen != 0 {
			t.Errorf("after a restart: online %v, last seen %v; nobody was heard yet", after.Online, after.LastSeen)
		}
		if after.Name != "Kettle" || *after.Latest != *before.Latest {
			t.Errorf("after a restart: %q, %+v", after.Name, after.Latest)
		}
		l.metrics("n1", 1, 1, 42) // sent again
		if got := l.readings("n1"); len(got) != 1 {
			t.Errorf("%d readings, want 1", len(got))
		}
	})
}

func TestOldSamplesFeedHistoryAlone(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		time.Sleep(5 * time.Second)
		l.metrics("n1", 2, 5000, 20)
		time.Sleep(60 * time.Second)
		l.metrics("n1", 1, 1000, 10) // a minute old
		if got := l.device("n1").Latest.Power; got != 200 {
			t.Errorf("an old sample moved the live picture: %d dW", got)
		}
		if got := len(l.readings("n1")); got != 2 {
			t.Errorf("%d readings kept, want 2", got)
		}
	})
}

func TestRefusedIsCountedByNodeAndReason(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.says("n1/heartbeat", "Alive")
		for _, bad := range []string{"\xff", "", "NaN", `{"voltage":1e308}`, `{"voltage":"x"}`, `[[[[[[]]]]]]`, strings.Repeat("9", 64<<10)} {
			l.says("n1/pzem/metrics", bad)
			l.kept("n1/info", bad)
		}
		l.says("n1/no/such/topic", "x")
		l.says("bad id/status", "Online")
		total := uint64(0)
		d := l.device("n1")
		for _, n := range d.Refused {
			total += n
		}
		if total != 14 || d.Refused["unknown_topic"] != 1 || d.Refused["not_utf8"] == 0 || d.Refused["too_large"] == 0 {
			t.Errorf("refused: %v", d.Refused)
		}
		if d.Latest != nil || len(l.readings("n1")) != 0 || len(l.Devices()) != 1 {
			t.Errorf("something of it was taken: %+v", d)
		}
	})
}

func TestStrangersDoNotFillTheHub(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		for i := range 2500 {
			l.says(fmt.Sprintf("n%d/heartbeat", i), "Alive")
		}
		for ch := range 200 {
			l.says(fmt.Sprintf("n1/pzem/%d/metrics", ch+1), `{"power":1}`)
		}
		if got := len(l.Devices()); got > 2010 {
			t.Errorf("%d devices", got)
		}
	})
}

func TestMeterSilence(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		l.says("n1/event", `{"kind":"meter_silent","boot":"0000beef","t":1}`)
		if !l.device("n1").MeterSilent {
			t.Error("a silent meter is not shown")
		}
		l.says("n1/event", `{"kind":"meter_back","boot":"0000beef","t":2}`)
		if l.device("n1").MeterSilent {
			t.Error("the meter is back, and it is not shown")
		}
	})
}

func TestPagesMissNothing(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		for seq := range 25 {
			l.metrics("n1", seq+1, seq/2*1000, 1) // two in every second
		}
		var seen []uint32
		for from := smartmeter.Instant(0); ; {
			page, err := l.Readings(t.Context(), "n1", from, 1<<60, 7)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Readings {
				seen = append(seen, r.Seq)
			}
			if page.Next == 0 {
				break
			}
			from = page.Next
		}
		slices.Sort(seen)
		if len(seen) != 25 || len(slices.Compact(seen)) != 25 {
			t.Errorf("pages gave %v", seen)
		}
	})
}

func TestBacklogFeedsHistoryAlone(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		boot := time.Now()
		l.introduce("n1")
		time.Sleep(time.Minute)
		l.metrics("n1", 12, 60_000, 20)
		at := boot.Add(-time.Hour).UnixMilli()
		l.says("n1/pzem/backlog", fmt.Sprintf(`[
			{"power":1,"boot":"0000abcd","seq":9,"first":1,"t":77,"at":%d},
			{"power":2,"boot":"0000abcd","seq":10,"first":1,"t":78},
			{"power":3,"boot":"0000beef","seq":1,"first":1,"t":5000},
			{"power":4e9,"boot":"0000beef","seq":2,"first":1,"t":10000}]`, at))
		got := l.readings("n1")
		if len(got) != 3 || got[0].At != smartmeter.Instant(at) || got[1].At != smartmeter.InstantOf(boot.Add(5*time.Second)) {
			t.Errorf("kept %+v", got)
		}
		if d := l.device("n1"); d.Latest.Power != 200 || d.Refused["no_time"]+d.Refused["out_of_range"] != 1 {
			t.Errorf("live %d dW, refused %v", d.Latest.Power, d.Refused)
		}
	})
}

func TestImport(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		past := func(yield func(smartmeter.Reading) bool) {
			for i := range 12_345 {
				r := smartmeter.Reading{Node: "n1", At: smartmeter.Instant(1000 * (i + 1)), Boot: 7, Seq: uint32(i + 1)}
				r.Has, r.Power = smartmeter.Power, 5
				if !yield(r) {
					return
				}
			}
		}
		for range 2 { // the second time nothing is new
			if err := l.Import(t.Context(), past); err != nil {
				t.Fatal(err)
			}
		}
		page, err := l.Readings(t.Context(), "n1", 0, 1<<60, 100_000)
		if err != nil || len(page.Readings) != 12_345 {
			t.Errorf("%d readings, %v", len(page.Readings), err)
		}
		if d := l.device("n1"); d.Latest != nil {
			t.Errorf("the past moved the live picture: %+v", d.Latest)
		}
	})
}

func TestEraseForgets(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		l.metrics("n1", 1, 1, 1)
		if err := l.EraseDevice(t.Context(), "n1"); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Device("n1"); smartmeter.CodeOf(err) != smartmeter.NotFound {
			t.Errorf("Device after erase: %v", err)
		}
		l.metrics("n1", 2, 2, 2)
		if got := l.readings("n1"); len(got) != 1 || got[0].Seq != 2 {
			t.Errorf("met anew with a past: %+v", got)
		}
	})
}

func TestChangeDeviceIsWholeOrNothing(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.says("n1/heartbeat", "Alive")
		name, room, kind := "Fridge", "bad\nroom", smartmeter.Compressor
		_, err := l.ChangeDevice(t.Context(), "n1", hub.DeviceChange{Name: &name, Room: &room, Kind: &kind})
		if smartmeter.CodeOf(err) != smartmeter.Invalid || !strings.HasPrefix(err.Error(), "room:") {
			t.Errorf("error %v, want invalid room", err)
		}
		if d := l.device("n1"); d.Name != "n1" || d.Kind != smartmeter.Generic {
			t.Errorf("half applied: %+v", d.Device)
		}
	})
}

func TestHealth(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.bus.deliver(smartmeter.Message{Topic: "smartmeter/probe", Payload: []byte("another hub's mark")})
		if got := l.Health(t.Context()); !got.OK() {
			t.Errorf("health %v, want ok", got.Checks)
		}
		l.bus.handlers = nil // nothing comes back any more
		if got := l.Health(t.Context()); got.Checks["broker"] == nil || got.Checks["store"] != nil {
			t.Errorf("health %v, want a failed broker", got.Checks)
		}
	})
}

// Anybody may ask for the hub's health, and a card wears out by writing.
func TestHealthWritesNothing(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		l.metrics("n1", 1, 1, 1)
		if err := l.store.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := l.files()
		for range 100 {
			if got := l.Health(t.Context()); !got.OK() {
				t.Fatalf("health %v", got.Checks)
			}
		}
		if d := cmp.Diff(before, l.files()); d != "" || len(before) == 0 {
			t.Errorf("files changed (-before +after):\n%s", d)
		}
		l.metrics("n1", 2, 2, 2)
		if err := l.store.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if cmp.Equal(before, l.files()) {
			t.Error("a reading did not show in the files either")
		}
	})
}

// files returns size and time of change of every file in the data directory.
func (l *lab) files() map[string]string {
	l.t.Helper()
	found := make(map[string]string)
	err := filepath.WalkDir(l.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			found[path] = fmt.Sprint(info.Size(), info.ModTime().UnixNano())
		}
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return found
}

// A failed meter's last watts must not look measured now because its register
// still comes.
func TestOldPowerIsNotPresent(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.says("n1/pzem/metrics", `{"voltage":220.5,"current":9,"power":2000}`)
		measured := smartmeter.InstantOf(time.Now())
		time.Sleep(time.Hour)
		l.says("n1/pzem/energy", "12.34")
		if got := l.device("n1").Latest; got.At != measured || got.Energy != 12340 {
			t.Errorf("latest %+v, want the power's time %d", got, measured)
		}
		l.introduce("n2")
		l.metrics("n2", 1, 1, 800)
		time.Sleep(time.Second)
		l.says("n2/pzem/metrics", `{"power":null,"voltage":230,"boot":"0000beef","seq":2,"first":1,"t":1001}`)
		if got := l.device("n2").Latest; got.Has.Has(smartmeter.Power) || got.Energy != 12345 {
			t.Errorf("latest %+v: the power was not measured, the register stands", got)
		}
	})
}

func TestFreshSampleEndsMeterSilence(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		l.says("n1/event", `{"kind":"meter_silent","boot":"0000beef","t":1}`)
		l.metrics("n1", 1, 2, 5) // the event that it is back was lost
		if l.device("n1").MeterSilent {
			t.Error("a meter that measures is called silent")
		}
	})
}

// One reading from the future, say of a node with a wrong clock, must not
// freeze the picture.
func TestFutureIsNoNews(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		l.metrics("n1", 1, 1, 5)
		ahead := time.Now().AddDate(1, 0, 0).UnixMilli()
		l.says("n1/pzem/backlog", fmt.Sprintf(`[{"power":1,"boot":"0000abcd","seq":9,"first":1,"t":77,"at":%d}]`, ahead))
		if got := l.readings("n1"); len(got) != 1 {
			t.Errorf("a sample of the future was kept: %+v", got)
		}
	})
}

func TestEraseIsWholeAndTold(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		l.metrics("n1", 1, 1, 5)
		waiting := make(chan error, 1)
		go func() {
			_, err := l.switchOn(time.Minute)
			waiting <- err
		}()
		synctest.Wait()
		w, _, err := l.Watch(0)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if err := l.EraseDevice(t.Context(), "n1"); err != nil {
			t.Fatal(err)
		}
		if err := <-waiting; smartmeter.CodeOf(err) != smartmeter.NoAnswer || !strings.Contains(err.Error(), "erased") {
			t.Errorf("the waiting switch: %v", err)
		}
		l.says("n1/relay/state", "1") // met anew
		time.Sleep(time.Minute)
		if d := l.device("n1"); d.Relay.State != smartmeter.RelayOn {
			t.Errorf("an erased command changed the new device: relay %v", d.Relay.State)
		}
		if kept, err := l.Commands(t.Context(), "n1", 10); err != nil || len(kept) != 0 {
			t.Errorf("erased commands are back: %+v, %v", kept, err)
		}
		told := false
		for len(w.Events) > 0 {
			e := <-w.Events
			told = told || e.Kind == smartmeter.EventReset
		}
		if !told {
			t.Error("nobody was told")
		}
		// The node did not introduce itself again, and is known all the same.
		l.metrics("n1", 2, 2, 5)
		l.answers("n1", wire.ResultDone, "")
		if _, err := l.switchOn(time.Second); err != nil {
			t.Errorf("switch after erasing: %v", err)
		}
	})
}

// What the store goes on to erase is gone: nobody is shown a device without its
// past until the next restart.
func TestEraseThatGoesOnForgets(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		l.metrics("n1", 1, 1, 5)
		l.watched.eraseErr = fmt.Errorf("%w: the disk is full", smartmeter.ErrErasing)
		err := l.EraseDevice(t.Context(), "n1")
		if smartmeter.CodeOf(err) != smartmeter.Unavailable || !strings.Contains(err.Error(), "goes on by itself") {
			t.Errorf("nobody is told that it goes on: %v", err)
		}
		if _, err := l.Device("n1"); smartmeter.CodeOf(err) != smartmeter.NotFound {
			t.Errorf("the device is shown without its past: %v", err)
		}
		l.metrics("n1", 2, 2, 5)
		if got := l.readings("n1"); len(got) != 1 || got[0].Seq != 2 {
			t.Errorf("met anew with %+v", got)
		}
	})
}

func TestFailedEraseChangesNothing(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		l.metrics("n1", 1, 1, 5)
		hopeless, cancel := context.WithCancel(t.Context())
		cancel()
		name := "Renamed"
		if _, err := l.ChangeDevice(hopeless, "n1", hub.DeviceChange{Name: &name}); err == nil || l.device("n1").Name != "n1" {
			t.Errorf("a failed change: %v, and the name is %q", err, l.device("n1").Name)
		}
		l.metrics("n1", 2, 2, 5)
		if err := l.EraseDevice(hopeless, "n1"); err == nil {
			t.Error("erased without the store")
		}
		if got := l.readings("n1"); len(got) != 2 {
			t.Errorf("%d readings after a failed erase, want 2", len(got))
		}
		if err := l.EraseDevice(t.Context(), "n1"); err != nil {
			t.Errorf("again: %v", err)
		}
	})
}
