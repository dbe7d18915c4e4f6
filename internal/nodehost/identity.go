package nodehost

import (
	"cmp"
	"errors"
	"net"
	"slices"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/node"
)

// DefaultID returns an id that no other machine has, for nodes that were given
// none: of its network address, all six bytes.
func DefaultID() (smartmeter.NodeID, error) {
	all, err := net.Interfaces()
	if err != nil {
		return "", err
	}
	return idOf(all)
}

// idOf returns the id of the first interface that has an address of its own
// from the factory, else of the first that has any.
func idOf(all []net.Interface) (smartmeter.NodeID, error) {
	all = slices.DeleteFunc(slices.Clone(all), func(i net.Interface) bool { return len(i.HardwareAddr) != 6 })
	if len(all) == 0 {
		return "", errors.New("this machine has no network address to be known by; choose a name for the node")
	}
	invented := func(i net.Interface) int { return int(i.HardwareAddr[0] & 2) } // IEEE 802: locally administered
	slices.SortStableFunc(all, func(a, b net.Interface) int {
		return cmp.Or(cmp.Compare(invented(a), invented(b)), cmp.Compare(a.Index, b.Index))
	})
	return node.IDFromMAC("linux-", [6]byte(all[0].HardwareAddr)), nil
}
