// Command firmware is a meter node on an ESP32 or ESP32-C3, for TinyGo 0.42 or
// later. What a node does is in internal/node, and what its board needs besides in
// internal/board, both tested on the host; here is only what touches the chip. It
// was never on one: see README.md.
package main

import (
	"strconv"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/firmware/session"
	"github.com/iot-smart-meter/smartmeter/internal/board"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/pzem"
)

// What a board that keeps nothing is told when it is built, with
// -ldflags="-X main.network=…". A board that keeps settings takes them from there
// until it is set up.
var network, password, broker, port, username, token string

// firmware is the version that info tells.
const firmware = "0.1.0"

// warmUp is how long a PZEM-004T is not believed after its mains came back.
const warmUp smartmeter.Millis = 4000

func main() {
	h, err := newHost()
	for err != nil { // its relay stays where it is; there is nobody to tell
		println("cannot start:", err.Error())
		time.Sleep(10 * time.Second)
		h, err = newHost()
	}
	go h.network()
	h.live()
}

// newHost returns a node that is ready to live. By then its relay is where the
// configuration wants it after power-up; nothing before that takes any time.
func newHost() (*host, error) {
	h := &host{id: node.IDFromMAC("ESP32-", mac()), begin: time.Now(), outbox: session.NewOutbox()}
	boot := drawBoot()
	of := node.Config{
		ID: h.id, Boot: boot, Link: h.outbox, Relay: &relay{pin: relayPin},
		Minutes: minutesKept, Firmware: firmware, Model: model, WarmUp: warmUp,
	}
	h.openSettings(&of)
	var err error
	if of.Meter, err = pzem.NewMaster(openLine(), pzem.General); err != nil {
		return nil, err
	}
	if h.core, err = node.New(of); err != nil {
		return nil, err
	}
	h.seeker.Known, h.seeker.Seed = h.access.Known(), uint32(boot)
	openButton()
	h.screen = openScreen()
	return h, nil
}

// openSettings finds out what the board was told, and whether it keeps anything.
func (h *host) openSettings(of *node.Config) {
	h.access = builtIn()
	flash := openFlash()
	if flash == nil {
		h.seeker.NoHotspot = true // what it is told there would be gone at once
		return
	}
	settings, err := board.OpenSettings(flash)
	if err != nil {
		println("settings cannot be read:", err.Error())
	}
	h.settings = &keeper{Settings: settings}
	of.Settings = h.settings
	saved, _ := settings.Load(board.SavedAccess) // never fails once they are open
	if access, err := board.DecodeAccess(saved); err != nil {
		println(err.Error())
	} else if access.Known() {
		h.access = access
	}
	if quiet, _ := settings.Load(savedQuiet); len(quiet) > 0 {
		h.seeker.NoHotspot = true
		if err := settings.Save(savedQuiet, nil); err != nil {
			println("settings cannot be kept:", err.Error())
		}
	}
}

// builtIn returns what the program was told when it was built, nothing if that is
// not enough to reach anybody.
func builtIn() board.Access {
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		number = board.DefaultPort
	}
	a := board.Access{Network: network, Password: password, Broker: broker, Port: uint16(number), Username: username, Token: token}
	if _, reason := a.Objection(); reason != "" {
		return board.Access{}
	}
	return a
}
