// Command figures measures the project's figures in one run and prints them
// beside their targets, as a Markdown table. `make bench` runs it; it is never
// shipped.
//
// What is measured is the real program, built as it is shipped, in a process of
// its own with an empty data directory; its processor time and memory are what
// the operating system accounts to it. Load comes as raw MQTT packets over a
// thousand sockets of this machine. Every figure is measured several times; the
// table shows the median, and the lowest and highest value. Where the machine
// would decide, something else is measured in the same run and the figure is
// the ratio: one broker beside another.
//
// A figure that misses its target is shown as it is, and that is no failure:
// the exit status is 0 as long as everything could be measured. -quick measures
// the same once, with little of everything: it shows that the measurements
// work, and no figure of it means anything.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// longest bounds a whole run.
const longest = 30 * time.Minute

func main() {
	quick := flag.Bool("quick", false, "measure little, to see that it works")
	only := flag.String("only", "", "measure only that in whose name this is, as in `day`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	exitOn(run(ctx, scaleOf(*quick), *only, os.Stdout, os.Stderr))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

// run measures everything and writes the table to out; log gets what is being
// done. The error says what could not be measured.
func run(ctx context.Context, s scale, only string, out, log io.Writer) error {
	if err := raiseFileLimit(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "smartmeter-figures-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b, err := newBench(ctx, dir, s)
	if err != nil {
		return err
	}
	begin := time.Now()
	var all []*figure
	var failed error
	for _, m := range measurements {
		if !strings.Contains(m.what, only) {
			continue
		}
		fmt.Fprintf(log, "%4.0f s  %s\n", time.Since(begin).Seconds(), m.what)
		figures, err := m.measure(ctx, b)
		if err != nil {
			err = fmt.Errorf("%s: %w", m.what, err)
			failed = errors.Join(failed, err)
			figures = append(figures, &figure{name: m.what, err: err})
		}
		all = append(all, figures...)
	}
	writeTable(out, all)
	fmt.Fprintf(out, "\nMedian, and lowest to highest of what was measured in %.0f s on %d processors (%s, %s).\n", time.Since(begin).Seconds(), runtime.NumCPU(), runtime.GOARCH, runtime.Version())
	return failed
}

// measurements are done in this order.
var measurements = []struct {
	what    string
	measure func(context.Context, *bench) ([]*figure, error)
}{
	{"readings from publish to query", measureThroughput},
	{"an idle hub", measureIdleHub},
	{"a day of readings", measureDay},
	{"nodes that return after an outage", measureBacklog},
	{"what a sample costs the disk", measureWear},
	{"a year of readings", measureYear},
	{"a month of many devices", measureMonth},
	{"a row for each message", measureRows},
	{"one broker beside another", measureBrokers},
	{"the broker's limits", measureBurst},
	{"idle connections", measureIdleConnections},
	{"decoding", measureDecoding},
	{"the program and its page", measureSize},
	{"the page in a browser", measurePage},
}
