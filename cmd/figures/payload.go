package main

import (
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// form appends the payload of a node's message number l.sent.
type form func(dst []byte, l *link) []byte

// fielded is a sample as nodes of protocol 0 send it: 75 bytes, no number.
func fielded(dst []byte, l *link) []byte {
	return wire.AppendMetrics(dst, &smartmeter.Sample{Measurement: smartmeter.Measurement{
		Has:         smartmeter.AllQuantities &^ smartmeter.Energy,
		Voltage:     2301,
		Current:     smartmeter.Milliamp(456 + l.sent%100),
		Power:       987,
		Frequency:   500,
		PowerFactor: 94,
	}})
}

// numbered is a sample as nodes of protocol 1 send it; its register counts the
// messages, so that each can be told from the others.
func numbered(dst []byte, l *link) []byte {
	return wire.AppendMetrics(dst, &smartmeter.Sample{
		Measurement: smartmeter.Measurement{
			Has:         smartmeter.AllQuantities,
			Voltage:     2301,
			Current:     smartmeter.Milliamp(456 + l.sent%100),
			Power:       987,
			Energy:      smartmeter.WattHour(l.sent),
			Frequency:   500,
			PowerFactor: 94,
		},
		Boot:  bootOf(l),
		Seq:   l.sent,
		First: 1,
		T:     smartmeter.Millis(time.Since(l.boot).Milliseconds()),
	})
}

// introduce has every node say that it speaks protocol 1, so that the hub knows
// it before anything is measured.
func introduce(f *fleet) error {
	for _, l := range f.links {
		info := wire.AppendInfo(nil, &wire.Info{
			Proto:    wire.Protocol,
			Firmware: "1.0.0",
			Model:    "load",
			Boot:     bootOf(l),
			T:        smartmeter.Millis(time.Since(l.boot).Milliseconds()),
			Caps:     []wire.Capability{wire.CapRelay},
			Channels: 1,
		})
		if err := l.retain("dev/"+l.id+"/info", info); err != nil {
			return err
		}
	}
	return nil
}

func bootOf(l *link) smartmeter.BootID { return smartmeter.BootID(l.boot.UnixNano()) | 1 }
