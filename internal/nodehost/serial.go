package nodehost

import (
	"fmt"
	"log/slog"
	"time"

	"go.bug.st/serial"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/pzem"
)

// silence is how long a meter may take to begin, or go on with, an answer.
const silence = 200 * time.Millisecond

// serialMeter is a PZEM-004T on a serial line that may come and go.
type serialMeter struct {
	path    string
	address byte
	silence time.Duration
	log     *slog.Logger

	line   *line // nil while there is none
	master *pzem.Master
	// told is the failure to open that was logged last.
	told string
}

// newSerialMeter returns the meter at address, 0 for any, on the device path.
// The device is opened when it is needed.
func newSerialMeter(path string, address byte, log *slog.Logger) (*serialMeter, error) {
	if address == 0 {
		address = pzem.General
	}
	if address > pzem.General {
		return nil, pzem.ErrBadAddress
	}
	return &serialMeter{path: path, address: address, silence: silence, log: log.With("serial", path)}, nil
}

// Read reads the meter, see node.Meter. When the line itself fails it is
// closed, and opened again at the next read.
func (m *serialMeter) Read(into *smartmeter.Measurement) error {
	*into = smartmeter.Measurement{}
	if m.line == nil {
		if err := m.open(); err != nil {
			return err
		}
	}
	err := m.master.Read(into)
	if m.line.failed != nil {
		m.log.Warn("the serial line is gone", "error", m.line.failed)
		m.Close()
	}
	return err
}

// open opens the line: 9600 baud, 8N1.
func (m *serialMeter) open() error {
	port, err := serial.Open(m.path, &serial.Mode{BaudRate: 9600, DataBits: 8, Parity: serial.NoParity, StopBits: serial.OneStopBit})
	if err == nil {
		if err = port.SetReadTimeout(m.silence); err != nil {
			port.Close()
		}
	}
	if err != nil {
		err = fmt.Errorf("cannot open serial device %s: %w", m.path, err)
		if err.Error() != m.told { // asked every few seconds, told once
			m.told = err.Error()
			m.log.Error("no serial line to the meter", "error", err)
		}
		return err
	}
	m.told = ""
	m.line = &line{Port: port}
	m.master, err = pzem.NewMaster(m.line, m.address)
	m.log.Info("opened the serial line to the meter")
	return err
}

// Close closes the line, until the next read.
func (m *serialMeter) Close() {
	if m.line != nil {
		m.line.Close() // nothing can be done about a failure
		m.line = nil
	}
}

// line is a serial port that remembers whether it failed. Silence is none: it
// reads as no bytes and no error.
type line struct {
	serial.Port
	failed error
}

func (l *line) Read(p []byte) (int, error) {
	n, err := l.Port.Read(p)
	return n, l.note(err)
}

func (l *line) Write(p []byte) (int, error) {
	n, err := l.Port.Write(p)
	return n, l.note(err)
}

func (l *line) ResetInputBuffer() error {
	return l.note(l.Port.ResetInputBuffer())
}

func (l *line) note(err error) error {
	if err != nil {
		l.failed = err
	}
	return err
}
