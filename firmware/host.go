package main

import (
	"sync"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/firmware/session"
	"github.com/iot-smart-meter/smartmeter/internal/board"
	"github.com/iot-smart-meter/smartmeter/internal/display"
	"github.com/iot-smart-meter/smartmeter/internal/node"
)

// host is a node and its board. One goroutine lives with the core, another one
// with the network; what they share is behind mu.
type host struct {
	id       smartmeter.NodeID
	begin    time.Time
	settings *keeper // nil where nothing can be kept
	access   board.Access
	outbox   *session.Outbox
	screen   *screen
	button   board.Debouncer
	radio    radio
	seeker   board.Seeker

	mu   sync.Mutex
	core *node.Node
	wifi display.Link
}

// lookEvery is how often the button is felt and the core asked what is due.
const lookEvery = 10 * time.Millisecond

func (h *host) now() smartmeter.Millis {
	return smartmeter.Millis(time.Since(h.begin).Milliseconds())
}

// live is the life of the core. Nothing in it allocates, and nothing of the
// network holds it up.
func (h *host) live() {
	for {
		h.mu.Lock()
		t := h.now()
		if down, changed := h.button.Look(t, buttonIsDown()); changed {
			h.core.Button(t, down)
		}
		h.core.Step(t, 0) // no clock: the hub tells the time of samples by their T
		status := h.core.Status()
		wifi := h.wifi
		h.mu.Unlock()
		if h.settings != nil && h.settings.erased && !buttonIsDown() {
			restart() // a new node again; its relay is off already
		}
		picture := board.Picture(string(h.id), &status, wifi)
		h.screen.send(h.screen.Show(t, &picture))
		time.Sleep(lookEvery)
	}
}

// with runs f with the core.
func (h *host) with(f func(t smartmeter.Millis, core *node.Node)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(h.now(), h.core)
}

// show has the screen show how far the WiFi is.
func (h *host) show(wifi display.Link) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wifi = wifi
}

// keeper is the settings, and knows that they were erased.
type keeper struct {
	*board.Settings
	erased bool
}

// Erase forgets everything, the password of the WiFi among it.
func (k *keeper) Erase() error {
	k.erased = true
	return k.Settings.Erase()
}
