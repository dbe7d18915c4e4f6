package main

import "encoding/binary"

// The few packets of MQTT 3.1.1 that the load is made of. They are written
// raw, because a client library costs more than the broker that it would
// measure.

// Control packet types with the flags that they carry here (MQTT 3.1.1 section
// 2.2).
const (
	packetConnect    = 0x10
	packetConnack    = 0x20
	packetPublish    = 0x30
	packetPuback     = 0x40
	packetSubscribe  = 0x82
	packetSuback     = 0x90
	packetPingreq    = 0xc0
	packetPingresp   = 0xd0
	packetTypeMask   = 0xf0
	publishRetain    = 0x01
	publishQoS1      = 0x02
	connectCleanly   = 0x02
	protocolLevel311 = 4
)

// Lengths of the answers that the load collects, in bytes.
const (
	connackLength  = 4
	pubackLength   = 4
	subackLength   = 5 // to one filter
	pingrespLength = 2
)

// keepAliveSeconds outlasts every measurement, so that nobody has to ping.
const keepAliveSeconds = 900

// appendConnect appends a CONNECT with a clean session (section 3.1).
func appendConnect(dst []byte, clientID string) []byte {
	dst = append(dst, packetConnect)
	dst = appendLength(dst, 10+2+len(clientID))
	dst = appendText(dst, "MQTT")
	dst = append(dst, protocolLevel311, connectCleanly)
	dst = binary.BigEndian.AppendUint16(dst, keepAliveSeconds)
	return appendText(dst, clientID)
}

// appendSubscribe appends a SUBSCRIBE to one filter with QoS 0 (section 3.8).
func appendSubscribe(dst []byte, filter string) []byte {
	dst = append(dst, packetSubscribe)
	dst = appendLength(dst, 2+2+len(filter)+1)
	dst = append(dst, 0, 1) // packet id
	dst = appendText(dst, filter)
	return append(dst, 0)
}

// appendPublish appends a PUBLISH (section 3.3). flags are publishRetain and
// publishQoS1; a message with QoS 1 always has packet id 1, since no
// connection has two of them under way.
func appendPublish(dst []byte, flags byte, topic string, payload []byte) []byte {
	dst = append(dst, packetPublish|flags)
	length := 2 + len(topic) + len(payload)
	if flags&publishQoS1 != 0 {
		length += 2
	}
	dst = appendLength(dst, length)
	dst = appendText(dst, topic)
	if flags&publishQoS1 != 0 {
		dst = append(dst, 0, 1)
	}
	return append(dst, payload...)
}

func appendText(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(s)))
	return append(dst, s...)
}

// appendLength appends a remaining length (section 2.2.3).
func appendLength(dst []byte, n int) []byte {
	return binary.AppendUvarint(dst, uint64(n))
}
