package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/signal"
	"sync/atomic"
	"syscall"

	"github.com/iot-smart-meter/smartmeter/internal/mqtt"
	"golang.org/x/sync/errgroup"
)

// brokerArgument makes this program be the broker under test: internal/mqtt and
// nothing else, in a process of its own, so that the operating system can say
// what it costs.
const brokerArgument = "-broker"

// brokerLimits let thousands of connections come from one address.
var brokerLimits = mqtt.Limits{Connections: 20_000, ConnectionsPerAddress: 20_000}

// beBroker serves until stdin ends, and then says how many messages came. An
// in-process subscriber takes them all, as the hub does.
func beBroker(stdin io.Reader, stdout io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	broker := mqtt.New(mqtt.Config{Logger: slog.New(slog.DiscardHandler), Limits: brokerLimits})
	var got atomic.Int64
	if _, err := broker.Subscribe("#", func(mqtt.Message) { got.Add(1) }); err != nil {
		return err
	}
	var parts errgroup.Group
	parts.Go(func() error { return broker.Serve(l) })
	parts.Go(func() error {
		_, _ = io.Copy(io.Discard, stdin) // its end is all that it says
		return broker.Close()
	})
	signal.Ignore(syscall.SIGTERM) // see process.stop
	fmt.Fprintf(stdout, "ready mqtt=%s\n", l.Addr())
	err = parts.Wait()
	fmt.Fprintf(stdout, "took %d\n", got.Load())
	return err
}
