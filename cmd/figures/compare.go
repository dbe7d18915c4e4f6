package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// perMessages is what processor time is related to.
const perMessages = 100_000

// contender is a broker to be compared, running.
type contender struct {
	*process
	mqtt string
	// drained returns when all that the broker took has reached its receivers,
	// n messages in all.
	drained func(n int64) error
	// close ends everything.
	close func() error
}

// contenders are started one after the other, so that they share nothing but
// the machine. Mosquitto, the first, is what the others are related to; it pays
// for one subscriber on everything, since somebody must get the messages. The
// hub has no such subscriber: it decodes, shows and stores them itself.
var contenders = []struct {
	name  string
	start func(*bench, context.Context) (*contender, error)
}{
	{"Mosquitto", (*bench).startMosquitto},
	{"internal/mqtt alone", (*bench).startBroker},
	{"hub", (*bench).startHubContender},
}

// measureBrokers has the same nodes publish at the same rate to each of the
// contenders. The rate is one that all of them can take, and every message is a
// packet of its own: a broker that lags behind would get away with reading
// several at once.
func measureBrokers(ctx context.Context, b *bench) ([]*figure, error) {
	var all []*figure
	for qos := range byte(2) {
		figures, err := b.compare(ctx, qos)
		if err != nil {
			return all, err
		}
		all = append(all, figures...)
	}
	return all, nil
}

func (b *bench) compare(ctx context.Context, qos byte) ([]*figure, error) {
	absolute := make([]*figure, len(contenders))
	ratio := make([]*figure, len(contenders))
	for i, c := range contenders {
		absolute[i] = &figure{name: fmt.Sprintf("%s: CPU per %s messages, QoS %d", c.name, count(perMessages), qos), unit: "s"}
		ratio[i] = &figure{name: fmt.Sprintf("%s: CPU beside Mosquitto's, QoS %d", c.name, qos), unit: "×", target: atMost(1.5)}
	}
	for range b.repeat {
		var reference float64
		for i, c := range contenders {
			seconds, err := b.cost(ctx, c.start, qos)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			if i == 0 {
				reference = seconds
			}
			absolute[i].add(seconds)
			ratio[i].add(seconds / reference)
		}
	}
	return append(absolute, ratio[1:]...), nil
}

// cost returns the processor time, in seconds, that a broker needs for
// perMessages.
func (b *bench) cost(ctx context.Context, start func(*bench, context.Context) (*contender, error), qos byte) (_ float64, err error) {
	c, err := start(b, ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	nodes, err := join(ctx, c.mqtt, "node", b.connections)
	if err != nil {
		return 0, err
	}
	defer nodes.leave()
	// Everybody speaks once before it counts: devices are made, buffers grow.
	if err := nodes.burst(1, qos, fielded); err != nil {
		return 0, err
	}
	n := int(b.paced.Seconds() * float64(b.rate))
	if err := c.drained(int64(b.connections)); err != nil {
		return 0, err
	}
	before, err := cpu(c.pid())
	if err != nil {
		return 0, err
	}
	if err := nodes.pace(n, b.rate, qos, fielded); err != nil {
		return 0, err
	}
	if err := c.drained(int64(b.connections + n)); err != nil {
		return 0, err
	}
	after, err := cpu(c.pid())
	return (after - before).Seconds() / float64(n) * perMessages, err
}

func (b *bench) startBroker(ctx context.Context) (*contender, error) {
	p, err := launch(ctx, b.broker)
	if err != nil {
		return nil, err
	}
	// What is acknowledged has been received: it is one call.
	return &contender{p, p.addresses["mqtt"], func(int64) error { return nil }, p.stop}, nil
}

func (b *bench) startHubContender(ctx context.Context) (*contender, error) {
	p, err := b.startFreshHub(ctx)
	if err != nil {
		return nil, err
	}
	api := client{p.addresses["http"]}
	drained := func(int64) error {
		// A query sees all that came before it, so all of it is stored then.
		_, err := api.readings(ctx, "node-00000", time.Now(), "power")
		return err
	}
	return &contender{p, p.addresses["mqtt"], drained, p.stop}, nil
}

// mosquittoSettings take away the limits that would make Mosquitto drop what a
// listener is slow to take, and everything that is not passing messages on.
const mosquittoSettings = `
listener %s 127.0.0.1
allow_anonymous true
persistence false
log_dest none
max_queued_messages 0
user root
`

func (b *bench) startMosquitto(ctx context.Context) (*contender, error) {
	dir, err := b.newDir()
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	settings := filepath.Join(dir, "mosquitto.conf")
	if err := os.WriteFile(settings, fmt.Appendf(nil, mosquittoSettings, port), 0o600); err != nil {
		return nil, err
	}
	p, err := launchAt(ctx, address, mosquittoPath(), "-c", settings)
	if err != nil {
		return nil, err
	}
	all, err := listen(ctx, address)
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	stop := func() error { return errors.Join(all.leave(), p.stop()) }
	return &contender{p, address, all.await, stop}, nil
}

// mosquittoPath is where Debian has it, which is not in everybody's PATH.
func mosquittoPath() string {
	if path, err := exec.LookPath("mosquitto"); err == nil {
		return path
	}
	return "/usr/sbin/mosquitto"
}

// freeAddress returns an address that was free a moment ago, for a program that
// cannot choose one itself.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
