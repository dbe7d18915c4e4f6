package hub

import "github.com/iot-smart-meter/smartmeter/internal/wire"

// readable says what is wrong with a payload that the broker had kept, on a
// topic where that means nothing: it is no sign of life and no sample. One that
// nobody can read is counted all the same, so that it is known what waits there
// for every other subscriber.
func readable(kind wire.Kind, payload []byte) (err error) {
	switch kind {
	case wire.KindStatus:
		_, err = wire.DecodeStatus(payload)
	case wire.KindHeartbeat:
		err = wire.DecodeHeartbeat(payload)
	case wire.KindMetrics:
		_, err = decodeSample(payload)
	case wire.KindEnergy:
		_, err = wire.DecodeEnergy(payload)
	case wire.KindBacklog:
		_, err = wire.DecodeBacklog(payload, nil)
	case wire.KindEvent:
		_, err = wire.DecodeEvent(payload)
	case wire.KindRelayAck:
		_, err = wire.DecodeCommandAck(payload)
	case wire.KindConfigAck:
		_, err = wire.DecodeConfigAck(payload)
	}
	return err
}
