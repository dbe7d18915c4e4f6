package nodehost

import (
	"errors"
	"os"

	"github.com/iot-smart-meter/smartmeter/internal/node"
)

// relayFile is a relay that is switched by writing to a file: an attribute of
// a driver below /sys, or a file that a script watches.
type relayFile string

// openRelay returns the relay of a configuration, nil if there is none.
func openRelay(c *Config) (node.Relay, error) {
	switch {
	case c.RelayGPIO != "" && c.RelayFile != "":
		return nil, errors.New("nodehost: a relay is on a GPIO line or behind a file, not both")
	case c.RelayGPIO != "":
		return newGPIORelay(c.RelayGPIO, c.RelayActiveLow, linux{})
	case c.RelayFile != "":
		return relayFile(c.RelayFile), nil
	default:
		return nil, nil
	}
}

// Set writes "1\n" or "0\n". It writes in place, for a driver's file cannot be
// replaced by another.
func (r relayFile) Set(on bool) error {
	level := "0\n"
	if on {
		level = "1\n"
	}
	f, err := os.OpenFile(string(r), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(level)
	return errors.Join(err, f.Close())
}
