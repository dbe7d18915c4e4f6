// Package netlink declares what the firmware uses of the package of that name in
// tinygo.org/x/espradio.
package netlink

import (
	"net/netip"
	"time"

	nl "tinygo.org/x/drivers/netlink"
	"tinygo.org/x/espradio"
)

// Esplink is the radio as a network device.
type Esplink struct{}

// APConnectParams configures a hotspot.
type APConnectParams struct {
	APConfig         espradio.APConfig
	StaticAddr       netip.Addr
	EnableDHCPServer bool
	MaxUDPPorts      int
	MaxTCPPorts      int
}

func (*Esplink) NetConnect(*nl.ConnectParams) error        { return nil }
func (*Esplink) NetConnectAP(APConnectParams) error        { return nil }
func (*Esplink) GetHostByName(string) (netip.Addr, error)  { return netip.Addr{}, nil }
func (*Esplink) Addr() (netip.Addr, error)                 { return netip.Addr{}, nil }
func (*Esplink) Socket(_, _, _ int) (int, error)           { return 0, nil }
func (*Esplink) Bind(int, netip.AddrPort) error            { return nil }
func (*Esplink) Connect(int, string, netip.AddrPort) error { return nil }
func (*Esplink) Listen(_, _ int) error                     { return nil }
func (*Esplink) Accept(int) (int, netip.AddrPort, error)   { return 0, netip.AddrPort{}, nil }
func (*Esplink) Close(int) error                           { return nil }

func (*Esplink) Send(int, []byte, int, time.Time) (int, error) { return 0, nil }
func (*Esplink) Recv(int, []byte, int, time.Time) (int, error) { return 0, nil }
func (*Esplink) SetSockOpt(_, _, _ int, _ interface{}) error   { return nil }
