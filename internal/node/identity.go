package node

import "github.com/iot-smart-meter/smartmeter"

// IDFromMAC returns the id of a node that has nothing else to be known by: a
// prefix like "ESP32-" and all six bytes of its network address. Three of them
// are the vendor's: with fewer of the others, two nodes of a house soon have
// the same id, and throw each other off the broker.
func IDFromMAC(prefix string, mac [6]byte) smartmeter.NodeID {
	const digits = "0123456789abcdef"
	id := []byte(prefix)
	for _, b := range mac {
		id = append(id, digits[b>>4], digits[b&0xF])
	}
	return smartmeter.NodeID(id)
}
