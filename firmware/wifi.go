package main

import (
	"net"
	"time"

	"tinygo.org/x/drivers/netdev"
	"tinygo.org/x/drivers/netlink"
	"tinygo.org/x/espradio"
	espnet "tinygo.org/x/espradio/netlink"

	"github.com/iot-smart-meter/smartmeter/internal/board"
)

// radio is the chip's WiFi through espradio, the only driver of it for TinyGo.
// Everything that the firmware knows of that driver is in this file.
//
// What version 0.5 does not do, as far as its source says: it tells nobody when
// the WiFi is lost, it cannot leave a network or a hotspot, and its network stack
// begins once in a boot, for the one or the other. So a lost WiFi is noticed by
// connections that fail, and after the hotspot comes a restart.
type radio struct {
	link   espnet.Esplink
	joined bool // once in this boot: the stack is there
}

// hotspotName is what the boards in the field call theirs.
const hotspotName = "ESP32_AP"

// join tries the network once, some 15 s at most and as much for an address.
func (r *radio) join(a *board.Access) error {
	if r.joined {
		return espradio.Connect(espradio.STAConfig{SSID: a.Network, Password: a.Password})
	}
	if err := r.link.NetConnect(&netlink.ConnectParams{Ssid: a.Network, Passphrase: a.Password}); err != nil {
		return err
	}
	netdev.UseNetdev(&r.link)
	r.joined = true
	return nil
}

// openHotspot opens one without a password, and listens for browsers.
func (r *radio) openHotspot() (net.Listener, error) {
	err := r.link.NetConnectAP(espnet.APConnectParams{
		APConfig:         espradio.APConfig{SSID: hotspotName, Channel: 6, AuthOpen: true},
		EnableDHCPServer: true, MaxUDPPorts: 2, MaxTCPPorts: 2,
	})
	if err != nil {
		return nil, err
	}
	netdev.UseNetdev(&r.link)
	return net.Listen("tcp", ":80")
}

// formTimeout is for how long a browser may take over one request.
const formTimeout = 10 * time.Second
