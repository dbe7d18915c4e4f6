package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// Watch is `smartmeter watch`.
type Watch struct {
	Hub
	Count   int      `placeholder:"N" help:"Stop after N events; 0 goes on until Ctrl-C."`
	Devices []string `arg:"" optional:"" name:"device" help:"Ids or names of the devices to watch; all of them if none is named."`
}

// Help is what --help shows below the flags.
func (*Watch) Help() string {
	return `One line per event: a reading, a relay that moved, a step in a command's life, a
node that comes or goes. When the hub is away, watch waits for it and goes on
where it left off. Ctrl-C ends it; that is not an error.

    $ smartmeter watch fridge
    14:03:05  Fridge     83.2 W  230.1 V   0.412 A
    14:03:07  Fridge  switch off, asked by api: sent
    14:03:07  Fridge  relay is off

With --json each line is an object: {"id":…,"event":"reading","data":{…}}, its
data as the hub sent them.

` + exitHelp
}

// Run follows the hub's events until env.Ctx ends, Count events have been
// written, or something cannot be put right by trying again.
func (w *Watch) Run(env *Env) error {
	if w.Count < 0 {
		return errorf(smartmeter.Invalid, "--count %d: give the number of events to wait for, or leave it out", w.Count)
	}
	c, err := w.open(env)
	if err != nil {
		return err
	}
	f := follower{client: c, env: env, json: w.JSON, left: w.Count, endless: w.Count == 0}
	if err = f.choose(w.Devices); err == nil {
		err = f.follow()
	}
	if errors.Is(err, context.Canceled) && env.Ctx.Err() != nil {
		return nil
	}
	return err
}

// follower is a watch under way.
type follower struct {
	client *client
	env    *Env
	json   bool

	left    int // events still to write, unless endless
	endless bool

	names  map[string]string // of all devices, by id
	wanted map[string]bool   // by id; nil means all

	lastID string // where the stream is to resume
	met    bool   // the hub has answered at least once
	tries  int    // in vain, since the last event
}

// choose finds out what the devices are called and which of them to watch.
func (f *follower) choose(words []string) error {
	devices, err := f.learn()
	if err != nil || len(words) == 0 {
		return err
	}
	f.wanted = make(map[string]bool, len(words))
	for _, word := range words {
		d, err := find(devices, word)
		if err != nil {
			return err
		}
		f.wanted[d.ID] = true
	}
	return nil
}

// learn asks the hub what its devices are called.
func (f *follower) learn() ([]device, error) {
	devices, _, err := f.client.devices(f.env.Ctx)
	if err != nil {
		return nil, err
	}
	f.names = make(map[string]string, len(devices))
	for i := range devices {
		f.names[devices[i].ID] = devices[i].label()
	}
	return devices, nil
}

// errEnough says that all events asked for have been written.
var errEnough = errors.New("enough")

// follow reads one stream after the other.
func (f *follower) follow() error {
	for {
		err := f.client.follow(f.env.Ctx, f.lastID, f.take)
		if errors.Is(err, errEnough) {
			return nil
		}
		if !f.met || smartmeter.CodeOf(err) != smartmeter.Unavailable {
			return err
		}
		if f.tries == 0 {
			f.notice("lost the hub at %s, trying again", f.client.base)
		}
		if err := sleep(f.env.Ctx, backOff(f.tries)); err != nil {
			return err
		}
		f.tries++
	}
}

// take shows one event and remembers its place in the stream.
func (f *follower) take(e event) error {
	if f.tries > 0 {
		f.notice("the hub is back")
	}
	f.met, f.tries = true, 0
	f.lastID = cmp.Or(e.id, f.lastID) // a new stream may greet us without an id
	return f.show(e)
}

// notice tells the person what happens besides events.
func (f *follower) notice(format string, args ...any) {
	fmt.Fprintf(f.env.Stderr, "smartmeter: "+format+"\n", args...)
}

// backOff returns how long to wait before try n+1: half a second, doubled with
// every try up to 16 s, and up to half of it more so that many watchers do not
// come back in step.
func backOff(n int) time.Duration {
	d := 500 * time.Millisecond << min(n, 5)
	return d + rand.N(d/2)
}

// sleep returns after d, or with an error when ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
