package nodehost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/mqtt"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// recordingLink takes everything and remembers it.
type recordingLink struct{ sent []smartmeter.Message }

func (l *recordingLink) Publish(topic string, payload []byte, _ uint8, _ bool) bool {
	l.sent = append(l.sent, smartmeter.Message{Topic: topic, Payload: slices.Clone(payload)})
	return true
}

func (l *recordingLink) on(topic string) [][]byte {
	var all [][]byte
	for _, m := range l.sent {
		if m.Topic == topic {
			all = append(all, m.Payload)
		}
	}
	return all
}

func (l *recordingLink) samples(t *testing.T) []smartmeter.Sample {
	t.Helper()
	var all []smartmeter.Sample
	for _, payload := range l.on("dev/n1/pzem/metrics") {
		all = append(all, sampleOf(t, payload))
	}
	return all
}

func sampleOf(t *testing.T, payload []byte) smartmeter.Sample {
	t.Helper()
	var s smartmeter.Sample
	if err := wire.DecodeMetrics(payload, &s); err != nil {
		t.Fatal(string(payload), err)
	}
	return s
}

// start runs a host whose meter is read every second, and returns how to stop
// it.
func start(t *testing.T, b *bench, addr, dir string) (stop func()) {
	t.Helper()
	config := node.DefaultConfig()
	config.Metrics, config.Relay.PowerUp = 1000, wire.PositionLast
	if saved := filepath.Join(dir, node.SavedConfig); !exists(saved) {
		write(t, saved, string(wire.AppendConfig(nil, &config)))
	}
	h, err := New(Config{
		ID: "n1", Serial: b.device, DataDir: dir, RelayFile: filepath.Join(dir, "gpio"),
		Broker: Broker{URL: "mqtt://" + addr, Backoff: func(int) time.Duration { return 10 * time.Millisecond }},
		Model:  "test", Logger: quiet, warm: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := wait(t, "the host to end", done); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func write(t *testing.T, path, data string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestHostLives(t *testing.T) {
	t.Parallel()
	module, dir := newBench(t), t.TempDir()
	b := startBroker(t, "", mqtt.Hooks{})
	stop := start(t, module, b.addr, dir)
	gpio := filepath.Join(dir, "gpio")
	if got := read(t, gpio); got != "0\n" {
		t.Errorf("the relay begins with %q", got)
	}

	info, err := wire.DecodeInfo(b.await(t, "dev/n1/info", "proto").Payload)
	if err != nil || info.Boot == 0 || info.Model != "test" {
		t.Errorf("info %+v, %v", info, err)
	}
	sample := sampleOf(t, b.await(t, "dev/n1/pzem/metrics", "seq").Payload)
	if diff := cmp.Diff(measuring(), sample.Measurement); diff != "" {
		t.Errorf("measurement (-want +got):\n%s", diff)
	}

	command := wire.Command{ID: "c1", Boot: info.Boot, BeforeT: sample.T + 60_000, On: true}
	b.send(t, "dev/n1/relay/commands", string(wire.AppendCommand(nil, &command)))
	b.await(t, "dev/n1/relay/ack", `"result":"done","state":1`)
	if got := read(t, gpio); got != "1\n" {
		t.Errorf("the relay file says %q", got)
	}
	b.await(t, "dev/n1/relay/state", "1")

	b.send(t, "dev/n1/config", `{"rev":3,"heartbeat":1000}`)
	b.await(t, "dev/n1/config/ack", `"rev":3,"ok":true`)
	stop()
	b.await(t, "dev/n1/status", "Offline")
	if got := b.retained("dev/n1/status"); got != "Offline" {
		t.Errorf("status %q after the end", got)
	}
	if got := read(t, gpio); got != "1\n" {
		t.Errorf("the relay file says %q after the end: nobody asked for that", got)
	}

	write(t, gpio, "0\n") // the power cut
	start(t, module, b.addr, dir)
	again, err := wire.DecodeInfo(b.await(t, "dev/n1/info", `"config_rev":3`).Payload)
	if err != nil || again.Boot == info.Boot {
		t.Errorf("info %+v, %v; the boot must be another", again, err)
	}
	if got := read(t, gpio); got != "1\n" {
		t.Errorf("the relay file says %q, want it as it was last", got)
	}
	earlier := b.await(t, "dev/n1/pzem/backlog", fmt.Sprintf(`"boot":"%08x"`, uint32(info.Boot)))
	if samples, err := wire.DecodeBacklog(earlier.Payload, nil); err != nil || samples[0].Seq != 1 || samples[0].Measurement != measuring() {
		t.Errorf("what nobody acknowledged before the power cut: %+v, %v", samples, err)
	}
}

// TestHostSamplesThroughAnOutage restarts the broker, and pulls the serial
// adapter. No sample is numbered twice, and after the outage those that were
// missed live still exist.
func TestHostSamplesThroughAnOutage(t *testing.T) {
	t.Parallel()
	module, dir := newBench(t), t.TempDir()
	b := startBroker(t, "", mqtt.Hooks{})
	start(t, module, b.addr, dir)
	before := sampleOf(t, b.await(t, "dev/n1/pzem/metrics", "seq").Payload)
	b.stop()
	b = startBroker(t, b.addr, mqtt.Hooks{})
	b.await(t, "dev/n1/status", "Online")
	after := sampleOf(t, b.await(t, "dev/n1/pzem/metrics", "seq").Payload)
	b.await(t, "dev/n1/pzem/backlog", `"seq":1,`) // nobody acknowledged anything yet
	ack := wire.Ack{Boot: after.Boot, Seq: after.Seq}
	b.send(t, "dev/n1/pzem/ack", string(wire.AppendAck(nil, ack)))
	b.await(t, "dev/n1/pzem/metrics", fmt.Sprintf(`"first":%d,`, after.Seq+1))
	if after.Boot != before.Boot || after.Seq <= before.Seq || after.First != 1 {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}

	module.unplug()
	b.await(t, "dev/n1/event", string(wire.NodeMeterSilent))
	module.plug(func(heard []byte) []byte { return module.slave.Feed(heard) })
	b.await(t, "dev/n1/event", string(wire.NodeMeterBack))
	if again := sampleOf(t, b.await(t, "dev/n1/pzem/metrics", "seq").Payload); again.Measurement != measuring() {
		t.Errorf("after plugging in again %+v", again)
	}
}

func TestNewRefuses(t *testing.T) {
	good := Config{ID: "n1", Serial: "/dev/null", Broker: Broker{URL: "mqtt://x"}, Logger: quiet}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	tests := map[string]struct {
		change func(*Config)
		want   string
	}{
		"no logger":                            {func(c *Config) { c.Logger = nil }, "Logger"},
		"no serial device":                     {func(c *Config) { c.Serial = "" }, "Serial"},
		"no broker":                            {func(c *Config) { c.Broker.URL = "" }, "mqtt://host"},
		"no id":                                {func(c *Config) { c.ID = "" }, "node"},
		"an address too high":                  {func(c *Config) { c.Address = 0xFF }, "0x01 to 0xF7"},
		"a data directory that cannot be made": {func(c *Config) { c.DataDir = file + "/sub" }, "settings"},
		"a relay that cannot be set":           {func(c *Config) { c.RelayFile = file + "/sub" }, "relay"},
		"a GPIO line that is none":             {func(c *Config) { c.RelayGPIO = "17" }, "gpiochip0:17"},
		"a GPIO chip that is not there":        {func(c *Config) { c.RelayGPIO = "gpiochip99:17" }, "no such chip"},
		"two relays":                           {func(c *Config) { c.RelayGPIO, c.RelayFile = "gpiochip0:17", file }, "not both"},
	}
	for name, tt := range tests {
		config := good
		tt.change(&config)
		if _, err := New(config); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want something with %q", name, err, tt.want)
		}
	}
}

func TestBootsDiffer(t *testing.T) {
	seen := map[smartmeter.BootID]bool{}
	for range 100 {
		seen[drawBoot()] = true
	}
	if len(seen) < 99 || seen[0] {
		t.Errorf("%d different boots of 100, 0 among them: %v", len(seen), seen[0])
	}
}

func TestSettings(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	in := open(t, dir)
	s := settings{in}
	if data, err := s.Load("config"); data != nil || err != nil {
		t.Errorf("nothing was saved, but there is %q, %v", data, err)
	}
	write(t, filepath.Join(dir, "config.new"), "left by a power cut, and longer than what comes")
	for _, want := range []string{"one", "", "three"} {
		if err := s.Save("config", []byte(want)); err != nil {
			t.Fatal(err)
		}
		if data, err := s.Load("config"); string(data) != want || err != nil {
			t.Errorf("loaded %q, %v; want %q", data, err, want)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v; want one", files, err)
	}
	if about, err := files[0].Info(); err != nil || about.Mode() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", about.Mode(), err)
	}
	if err := errors.Join(s.Save(node.SavedRelay, []byte("1")), s.Erase(), s.Erase()); err != nil {
		t.Fatal(err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("after erasing there are %v, %v", files, err)
	}
}

// open opens a directory until the test ends.
func open(t *testing.T, dir string) directory {
	t.Helper()
	in, err := openDirectory(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	return in
}

func TestSettingsKeepTheOldWhenTheNewFails(t *testing.T) {
	dir := t.TempDir()
	s := settings{open(t, dir)}
	if err := os.Mkdir(filepath.Join(dir, "config"), 0o700); err != nil { // nothing can be renamed over it
		t.Fatal(err)
	}
	if err := s.Save("config", []byte("new")); err == nil {
		t.Error("saved over a directory")
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("left behind %v, %v", files, err)
	}
}

func TestClockIsTodayOrNothing(t *testing.T) {
	before := smartmeter.InstantOf(time.Now())
	if got := clockIfTrusted(); got != 0 && (got < before || got > smartmeter.InstantOf(time.Now())) {
		t.Errorf("the clock says %v", got.Time())
	}
}

func TestUptime(t *testing.T) {
	if got := uptime(); got <= 0 {
		t.Errorf("this machine has been running for %d ms", got)
	}
}
