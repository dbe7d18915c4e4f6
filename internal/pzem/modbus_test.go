package pzem_test

import (
	"errors"
	"io"
	"log"
	"net"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"
	"github.com/simonvetter/modbus"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/pzem"
)

// The tests of this file ask an independent Modbus implementation for its
// opinion of ours.

func TestAgreementOverASocket(t *testing.T) {
	slave := newLine(t).slave
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _ = slave.Serve(c); c.Close() }()
		}
	}()

	agree(t, slave, "rtuovertcp://"+listener.Addr().String())

	c, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	readsTheSame(t, slave, impatient{c})
}

func TestAgreementOverAPseudoTerminal(t *testing.T) {
	slave := newLine(t).slave
	module, terminal, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = slave.Serve(module); close(done) }()
	defer func() { terminal.Close(); <-done; module.Close() }() // nobody left: the module hears EIO

	agree(t, slave, "rtu://"+terminal.Name())
}

// impatient is a socket that gives up reading as a serial port does.
type impatient struct{ net.Conn }

func (c impatient) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// agree checks that the independent client reads and writes our Slave.
func agree(t *testing.T, slave *pzem.Slave, url string) {
	t.Helper()
	client, err := modbus.NewClient(&modbus.ClientConfiguration{
		URL:     url,
		Speed:   9600,
		Timeout: 10 * time.Second,
		Logger:  log.New(io.Discard, "", 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Open(); err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.SetUnitId(0x01); err != nil {
		t.Fatal(err)
	}
	if err := client.SetEncoding(modbus.BIG_ENDIAN, modbus.LOW_WORD_FIRST); err != nil {
		t.Fatal(err)
	}
	clientReads(t, client, slave.Measurement())
	clientWrites(t, client, slave)
}

// clientReads checks every input register.
func clientReads(t *testing.T, client *modbus.ModbusClient, want smartmeter.Measurement) {
	t.Helper()
	got := smartmeter.Measurement{Has: smartmeter.AllQuantities}
	short := func(register uint16) uint16 {
		v, err := client.ReadRegister(register, modbus.INPUT_REGISTER)
		if err != nil {
			t.Fatalf("input register %d: %v", register, err)
		}
		return v
	}
	long := func(register uint16) uint32 {
		v, err := client.ReadUint32(register, modbus.INPUT_REGISTER)
		if err != nil {
			t.Fatalf("input registers %d, %d: %v", register, register+1, err)
		}
		return v
	}
	got.Voltage = smartmeter.Decivolt(short(0))
	got.Current = smartmeter.Milliamp(long(1))
	got.Power = smartmeter.Deciwatt(long(3))
	got.Energy = smartmeter.WattHour(long(5))
	got.Frequency = smartmeter.Decihertz(short(7))
	got.PowerFactor = smartmeter.Hundredth(short(8))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the independent client reads (-want +got):\n%s", diff)
	}
}

// clientWrites checks the holding registers and the refusals.
func clientWrites(t *testing.T, client *modbus.ModbusClient, slave *pzem.Slave) {
	t.Helper()
	if err := client.WriteRegister(1, 4321); err != nil {
		t.Fatal(err)
	}
	if got := slave.AlarmThreshold(); got != 4321 {
		t.Errorf("threshold %d, want 4321", got)
	}
	if got, err := client.ReadRegisters(1, 2, modbus.HOLDING_REGISTER); err != nil || !cmp.Equal(got, []uint16{4321, 1}) {
		t.Errorf("holding registers %v, %v", got, err)
	}
	if err := client.WriteRegister(1, 25_001); !errors.Is(err, modbus.ErrIllegalDataValue) {
		t.Errorf("too high a threshold: %v", err)
	}
	if _, err := client.ReadRegister(10, modbus.INPUT_REGISTER); !errors.Is(err, modbus.ErrIllegalDataAddress) {
		t.Errorf("no such register: %v", err)
	}
	if _, err := client.ReadCoil(0); !errors.Is(err, modbus.ErrIllegalFunction) {
		t.Errorf("no such function: %v", err)
	}
}

// readsTheSame checks that our Master sees what the independent client saw.
func readsTheSame(t *testing.T, slave *pzem.Slave, port io.ReadWriter) {
	t.Helper()
	m := newMaster(t, port, 0x01)
	var got smartmeter.Measurement
	if err := m.Read(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slave.Measurement(), got); diff != "" {
		t.Errorf("our client reads (-want +got):\n%s", diff)
	}
	if got, err := m.AlarmThreshold(); got != 4321 || err != nil {
		t.Errorf("threshold %d, %v; want what the independent client set", got, err)
	}
}
