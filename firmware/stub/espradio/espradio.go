// Package espradio declares what the firmware uses of tinygo.org/x/espradio
// v0.5.0, so that stock Go can check its types: the real one has C code and vendor
// libraries for the chips. Nothing here does anything.
package espradio

// STAConfig is the network to join.
type STAConfig struct{ SSID, Password string }

// APConfig is the network to open.
type APConfig struct {
	SSID, Password string
	Channel        uint8
	AuthOpen       bool
}

// Connect joins a network once the radio is on.
func Connect(STAConfig) error { return nil }
