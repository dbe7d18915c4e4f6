package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// latencies has every meter publish once a second and returns, in ms, how long
// each message took until a watcher of the events had it.
func (b *bench) latencies(ctx context.Context, hub *process) (_ []float64, err error) {
	nodes, err := join(ctx, hub.addresses["mqtt"], meterName, b.meters)
	if err != nil {
		return nil, err
	}
	defer nodes.leave()
	if err := introduce(nodes); err != nil {
		return nil, err
	}
	w, err := watch(ctx, client{hub.addresses["http"]})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	begin, seconds := time.Now(), int(b.live.Seconds())
	for i := range b.meters * seconds {
		time.Sleep(time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(b.meters))))
		l := nodes.links[i%b.meters]
		w.expect(message{l.id, int64(l.sent) + 1})
		if err := l.publish(1, numbered); err != nil {
			return nil, err
		}
	}
	if err := nodes.settle(); err != nil {
		return nil, err
	}
	return w.await()
}

// message is one reading on its way: the device and its register, which counts.
type message struct {
	device string
	number int64
}

// watcher follows a hub's events like a dashboard.
type watcher struct {
	stream io.ReadCloser
	ended  chan error

	mu     sync.Mutex
	asked  map[message]time.Time // published, and not seen yet
	waited []float64             // ms, of those seen
	none   chan struct{}         // gets a value whenever asked becomes empty
}

func watch(ctx context.Context, api client) (*watcher, error) {
	res, err := api.open(ctx, "/events")
	if err != nil {
		return nil, err
	}
	w := &watcher{
		stream: res.Body,
		ended:  make(chan error, 1),
		asked:  make(map[message]time.Time),
		none:   make(chan struct{}, 1),
	}
	in := bufio.NewScanner(w.stream)
	if !in.Scan() { // the hello: what happens from now on will come
		return nil, errors.Join(errors.New("no event came"), in.Err(), res.Body.Close())
	}
	go func() { w.ended <- w.follow(in) }()
	return w, nil
}

func (w *watcher) expect(m message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked[m] = time.Now()
}

func (w *watcher) follow(in *bufio.Scanner) error {
	for in.Scan() {
		came := time.Now()
		data, ok := strings.CutPrefix(in.Text(), "data: ")
		if !ok {
			continue
		}
		var e struct {
			Device string
			Latest *struct {
				Energy int64 `json:"energy_wh"`
			}
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return err
		}
		if e.Latest != nil {
			w.see(message{e.Device, e.Latest.Energy}, came)
		}
	}
	return in.Err()
}

func (w *watcher) see(m message, came time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	asked, ok := w.asked[m]
	if !ok {
		return // shown once already
	}
	delete(w.asked, m)
	w.waited = append(w.waited, milliseconds(came.Sub(asked)))
	if len(w.asked) == 0 {
		select {
		case w.none <- struct{}{}:
		default:
		}
	}
}

// await returns when all that is expected has been seen.
func (w *watcher) await() ([]float64, error) {
	for timeout := time.After(patience); ; {
		w.mu.Lock()
		missing, waited := len(w.asked), w.waited
		w.mu.Unlock()
		if missing == 0 {
			return waited, nil
		}
		select {
		case <-w.none:
		case err := <-w.ended:
			return nil, fmt.Errorf("the events ended: %w", errors.Join(err, io.ErrUnexpectedEOF))
		case <-timeout:
			return nil, fmt.Errorf("%d readings were published and did not come as events", missing)
		}
	}
}

func (w *watcher) close() error {
	err := w.stream.Close()
	<-w.ended
	return err
}
