package bus

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/mqtt"
)

// ExternalConfig says which broker External is a client of.
type ExternalConfig struct {
	// URL is mqtt://host, or mqtts://host for TLS, with :port where it is not
	// 1883 or 8883. It may hold user:password@, which is never logged.
	URL string
	// Username and Password go before those of the URL; "" for none.
	Username, Password string
	// CAFile has the certificates (PEM) that one of must have signed the
	// broker's; "" trusts whom this system trusts.
	CAFile string
	// Backoff returns how long to wait before the next attempt to connect,
	// after failed ones in a row. Nil means DefaultBackoff.
	Backoff func(failed int) time.Duration
	// Logger must not be nil.
	Logger *slog.Logger
}

const (
	// maxPacket bounds a message in both directions, as the embedded broker
	// does.
	maxPacket = 256 << 10
	// maxQueued bounds the messages that wait for a slow broker.
	maxQueued = 1024
)

// DefaultBackoff waits up to 0.5 s, 1 s, 2 s and so on up to 30 s, and at least
// half of that, at random: hubs that lost a broker together must not return
// together.
func DefaultBackoff(failed int) time.Duration {
	longest := min(30*time.Second, 500*time.Millisecond<<min(max(failed, 1)-1, 6))
	return longest/2 + mathrand.N(longest/2+1)
}

// External is the bus as a client of a broker elsewhere. Make one with
// NewExternal, then Run it.
type External struct {
	address            string // host:port
	username, password string
	tls                *tls.Config // nil: without
	clientID           string
	backoff            func(failed int) time.Duration
	log                *slog.Logger
	subscribed         chan struct{} // there is a new subscription

	mu            sync.Mutex
	subscriptions []subscription          // only ever appended to
	queue         chan smartmeter.Message // of the present connection; nil without one
	why           error                   // there is no connection
}

type subscription struct {
	filter string
	handle func(smartmeter.Message)
}

// NewExternal returns a bus that connects once it runs. It fails only where cfg
// is wrong in itself.
func NewExternal(cfg ExternalConfig) (*External, error) {
	if cfg.Logger == nil {
		return nil, errors.New("bus: ExternalConfig.Logger must be given")
	}
	b := &External{
		backoff:    cfg.Backoff,
		subscribed: make(chan struct{}, 1),
		why:        errors.New("not connected yet"),
		// One id for life, so that a connection takes over from one that the
		// broker still holds for alive, and another in every hub. Letters and
		// digits, 23 of them, are what all brokers accept (MQTT 3.1.1 section
		// 3.1.3.1).
		clientID: "smartmeter" + rand.Text()[:13],
	}
	if b.backoff == nil {
		b.backoff = DefaultBackoff
	}
	if err := b.locate(cfg); err != nil {
		return nil, err
	}
	b.log = cfg.Logger.With("broker", b.address)
	return b, nil
}

// Publish takes m for the broker and returns before the broker has it; see the
// package comment for what becomes of it. It fails without a connection, and
// when the broker does not keep up. The payload is shared from here on and must
// not be modified.
func (b *External) Publish(m smartmeter.Message) error {
	if err := check(m); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.queue == nil {
		return fmt.Errorf("the broker at %s is not reachable: %w", b.address, b.why)
	}
	select {
	case b.queue <- m:
		return nil
	default:
		return fmt.Errorf("the broker at %s does not keep up: %d messages wait for it", b.address, maxQueued)
	}
}

// check refuses what a broker would answer by closing the connection.
func check(m smartmeter.Message) error {
	switch {
	case m.Topic == "" || strings.ContainsAny(m.Topic, "+#") || !isText(m.Topic):
		return fmt.Errorf("topic %.40q: %w", m.Topic, mqtt.ErrTopic)
	case m.QoS > 1:
		return mqtt.ErrQoS
	case len(m.Topic)+len(m.Payload) > maxPacket-16: // the rest is the header
		return fmt.Errorf("message of %d bytes to %.40q: larger than %d KiB", len(m.Payload), m.Topic, maxPacket>>10)
	}
	return nil
}

// isText tells whether s can stand in a packet (MQTT 3.1.1 section 1.5.3).
func isText(s string) bool {
	return len(s) <= 65_535 && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

// Subscribe calls handle for every message that matches filter, kept ones
// first, from now or, without a connection, from the next one on. It does not
// wait for the broker. The filters of one bus must not overlap: a broker may
// deliver a message once for each that matches (MQTT 3.1.1 section 3.3.5).
func (b *External) Subscribe(filter string, handle func(smartmeter.Message)) error {
	if err := checkFilter(filter); err != nil {
		return err
	}
	b.mu.Lock()
	b.subscriptions = append(b.subscriptions, subscription{filter, handle})
	b.mu.Unlock()
	select {
	case b.subscribed <- struct{}{}:
	default: // it is said already
	}
	return nil
}

// checkFilter checks a topic filter (MQTT 3.1.1 section 4.7.1).
func checkFilter(filter string) error {
	levels := strings.Split(filter, "/")
	wrong := func(level string) bool { return len(level) > 1 && strings.ContainsAny(level, "+#") }
	if filter == "" || !isText(filter) || slices.ContainsFunc(levels, wrong) || slices.Contains(levels[:len(levels)-1], "#") {
		return fmt.Errorf("filter %.40q: %w", filter, mqtt.ErrFilter)
	}
	return nil
}

// Run connects, and again whenever the connection is lost, until ctx ends. When
// it returns no handler is running, and none will be called. It must be called
// once.
func (b *External) Run(ctx context.Context) error {
	said := ""
	for failed := 0; ; {
		good, err := b.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if good {
			failed, said = 0, ""
		}
		failed++
		wait := b.backoff(failed)
		b.log.Log(ctx, levelOf(err, said), "no connection to the broker", "error", err, "retry", wait)
		said = err.Error()
		if !pause(ctx, wait) {
			return nil
		}
	}
}

// levelOf makes a long outage one line in the log, not thousands.
func levelOf(err error, said string) slog.Level {
	if err.Error() == said {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// pause reports whether d passed before ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// session is one connection from its beginning to its end. It returns why it
// ended, and whether it had been a good one: connected and subscribed.
func (b *External) session(ctx context.Context) (good bool, err error) {
	s, err := b.connect(ctx)
	if err != nil {
		b.shut(err)
		return false, err
	}
	defer func() {
		b.shut(err)
		s.end()
	}()
	if err := s.subscribe(ctx); err != nil {
		return false, err
	}
	b.open(s.queue) // not before: a command must not wait for a slow subscription
	b.log.Info("connected to the broker")
	return true, s.carry(ctx)
}

// open begins to take messages. Each connection has a queue of its own: what
// one did not send is old in the next.
func (b *External) open(queue chan smartmeter.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = queue
}

// shut takes no more messages, and notes why.
func (b *External) shut(why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue, b.why = nil, why
}

// since returns the subscriptions from the nth on.
func (b *External) since(n int) []subscription {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.subscriptions[n:]
}

// dispatch hands m to whom it is for.
func (b *External) dispatch(m smartmeter.Message) {
	for _, s := range b.since(0) {
		if mqtt.Match(s.filter, m.Topic) {
			b.call(s, m)
		}
	}
}

// call contains a panic of the handler: the reader of a broker's connection is
// no place to die in.
func (b *External) call(s subscription, m smartmeter.Message) {
	defer func() {
		if r := recover(); r != nil {
			b.log.Error("a handler panicked", "filter", s.filter, "topic", m.Topic, "panic", r, "stack", string(debug.Stack()))
		}
	}()
	s.handle(m)
}
