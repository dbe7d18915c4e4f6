package mqtt

import "encoding/binary"

// appendHeader appends a fixed header (MQTT 3.1.1 section 2.2).
func appendHeader(dst []byte, k kind, flags byte, remaining int) []byte {
	dst = append(dst, byte(k)<<4|flags)
	for remaining > 0x7f {
		dst = append(dst, byte(remaining)|0x80)
		remaining >>= 7
	}
	return append(dst, byte(remaining))
}

// appendConnack appends a CONNACK. Session present is always 0: there are no
// sessions to come back to yet.
func appendConnack(dst []byte, code byte) []byte {
	return append(appendHeader(dst, kindConnack, 0, 2), 0, code)
}

// appendPublish appends a PUBLISH with packet id id, which QoS 0 leaves out.
func appendPublish(dst []byte, m *Message, qos byte, retain bool, id uint16) []byte {
	remaining := 2 + len(m.Topic) + len(m.Payload)
	flags := qos << 1
	if retain {
		flags |= 0x01
	}
	if qos > 0 {
		remaining += 2
	}
	dst = appendHeader(dst, kindPublish, flags, remaining)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(m.Topic)))
	dst = append(dst, m.Topic...)
	if qos > 0 {
		dst = binary.BigEndian.AppendUint16(dst, id)
	}
	return append(dst, m.Payload...)
}

// appendAck appends a PUBACK or UNSUBACK.
func appendAck(dst []byte, k kind, id uint16) []byte {
	return binary.BigEndian.AppendUint16(appendHeader(dst, k, 0, 2), id)
}

// appendSuback appends a SUBACK with one code for each filter asked for.
func appendSuback(dst []byte, id uint16, codes []byte) []byte {
	dst = appendHeader(dst, kindSuback, 0, 2+len(codes))
	dst = binary.BigEndian.AppendUint16(dst, id)
	return append(dst, codes...)
}

func appendPingresp(dst []byte) []byte { return appendHeader(dst, kindPingresp, 0, 0) }
