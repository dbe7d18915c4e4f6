// Command broker is internal/mqtt and nothing else, in a process of its own, so
// that the operating system can say what it costs.
package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"github.com/iot-smart-meter/smartmeter/internal/mqtt"
	"golang.org/x/sync/errgroup"
)

func main() {
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "broker:", err)
		os.Exit(1)
	}
}

// limits let thousands of connections come from one address.
var limits = mqtt.Limits{Connections: 20_000, ConnectionsPerAddress: 20_000}

// serve serves until stdin ends, and then says how many messages came. An
// in-process subscriber takes them all, as the hub does.
func serve(stdin io.Reader, stdout io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	broker := mqtt.New(mqtt.Config{Logger: slog.New(slog.DiscardHandler), Limits: limits})
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
	signal.Ignore(syscall.SIGTERM) // whoever measures ends it through stdin
	fmt.Fprintf(stdout, "ready mqtt=%s\n", l.Addr())
	err = parts.Wait()
	fmt.Fprintf(stdout, "took %d\n", got.Load())
	return err
}
