package main

import (
	"net"
	"strconv"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/firmware/session"
	"github.com/iot-smart-meter/smartmeter/internal/board"
	"github.com/iot-smart-meter/smartmeter/internal/display"
	"github.com/iot-smart-meter/smartmeter/internal/node"
)

// lostAfter is how many connections to the broker must fail until the WiFi is
// taken for lost: the radio's driver does not say.
const lostAfter = 4

// network is the life of the radio.
func (h *host) network() {
	var listener net.Listener
	for {
		do, until := h.radioNext()
		switch {
		case do == board.Join:
			h.join()
		case do == board.Hotspot && listener == nil:
			var err error
			if listener, err = h.radio.openHotspot(); err != nil {
				println("no hotspot:", err.Error())
				h.rest(until)
				break
			}
			go h.answerForms(listener)
		case do == board.Restart:
			h.restartWithout()
		default:
			h.rest(until)
		}
	}
}

// radioNext returns what the radio should do, and until when.
func (h *host) radioNext() (do board.Radio, until smartmeter.Millis) {
	h.with(func(t smartmeter.Millis, _ *node.Node) { do, until = h.seeker.Next(t) })
	return do, until
}

// rest waits, but not for long: somebody may use the form.
func (h *host) rest(until smartmeter.Millis) {
	time.Sleep(time.Duration(max(0, min(until-h.now(), 1000))) * time.Millisecond)
}

// join joins the WiFi and stays with the broker until it is lost.
func (h *host) join() {
	h.show(display.Trying)
	err := h.radio.join(&h.access)
	if err == nil {
		h.show(display.Up)
		h.with(func(smartmeter.Millis, *node.Node) { h.seeker.Joined() })
		err = h.stay()
	}
	println("no WiFi:", err.Error())
	h.show(display.Down)
	h.with(func(t smartmeter.Millis, _ *node.Node) { h.seeker.Failed(t) })
}

// stay connects to the broker again and again, as long as that works now and then.
func (h *host) stay() (err error) {
	fresh := board.Seeker{Known: true, NoHotspot: true, Seed: uint32(h.now())}
	pauses := fresh
	for failed := 0; failed < lostAfter; failed++ {
		var conn net.Conn
		conn, err = net.Dial("tcp", net.JoinHostPort(h.access.Broker, strconv.Itoa(int(h.access.Port))))
		if err == nil {
			begin := time.Now()
			err = session.Run(conn, h.peer())
			if time.Since(begin) >= time.Minute {
				failed, pauses = 0, fresh
			}
		}
		println("no broker:", err.Error())
		pauses.Failed(h.now())
		_, until := pauses.Next(h.now())
		time.Sleep(time.Duration(until-h.now()) * time.Millisecond)
	}
	return err
}

// peer is the core, as a session sees it.
func (h *host) peer() *session.Peer {
	return &session.Peer{
		ID: h.id, Username: h.access.Username, Token: h.access.Token, Outbox: h.outbox,
		Will: h.core.Will(), Subscriptions: h.core.Subscriptions(),
		Connected:    func() { h.with(func(t smartmeter.Millis, core *node.Node) { core.Connected(t) }) },
		Disconnected: func() { h.with(func(t smartmeter.Millis, core *node.Node) { core.Disconnected(t) }) },
		Receive: func(topic string, payload []byte, retained bool) {
			h.with(func(t smartmeter.Millis, core *node.Node) { core.Receive(t, topic, payload, retained) })
		},
	}
}

// answerForms serves browsers one after the other until one has said what the
// node needs to know; then it begins anew with that.
func (h *host) answerForms(listener net.Listener) {
	var buffer board.RequestBuffer
	for {
		conn, err := listener.Accept()
		if err != nil {
			time.Sleep(time.Second)
			continue
		}
		h.with(func(t smartmeter.Millis, _ *node.Node) { h.seeker.Used(t) })
		_ = conn.SetDeadline(time.Now().Add(formTimeout))
		asked, ok, err := board.ServeForm(conn, string(h.id), &buffer)
		_ = conn.Close()
		if err != nil || !ok {
			continue
		}
		if h.keep(board.SavedAccess, asked.Append(nil)) {
			h.restartWhenOff()
		}
	}
}

// savedQuiet is kept from a hotspot that nobody used to the boot after it, which
// opens none.
const savedQuiet = "quiet"

func (h *host) restartWithout() {
	h.keep(savedQuiet, []byte{1})
	h.restartWhenOff()
}

// keep saves a setting that is not the core's, and reports whether it could.
func (h *host) keep(name string, value []byte) bool {
	var err error
	h.with(func(smartmeter.Millis, *node.Node) { err = h.settings.Save(name, value) })
	if err != nil {
		println("cannot be kept:", err.Error())
	}
	return err == nil
}

// restartWhenOff begins anew when the load has no power anyway: the relay opens
// at every start.
func (h *host) restartWhenOff() {
	for {
		off := false
		h.with(func(_ smartmeter.Millis, core *node.Node) { off = core.Status().Relay != smartmeter.RelayOn })
		if off {
			restart()
		}
		time.Sleep(time.Second)
	}
}
