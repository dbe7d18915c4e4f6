package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// measureDecoding decodes payloads in this process.
func measureDecoding(_ context.Context, b *bench) ([]*figure, error) {
	l := &link{boot: time.Now(), sent: 12_345}
	var all []*figure
	for _, p := range []struct {
		name    string
		payload []byte
	}{
		{"fielded metrics", fielded(nil, l)},
		{"metrics of protocol 1", numbered(nil, l)},
	} {
		took := &figure{name: fmt.Sprintf("wire: decode %s, %d bytes", p.name, len(p.payload)), unit: "µs", target: below(2)}
		allocated := &figure{name: "wire: allocations of that", target: exactly(0)}
		for range b.repeat {
			result, err := decode(p.payload)
			if err != nil {
				return all, err
			}
			took.add(float64(result.NsPerOp()) / 1000)
			allocated.add(float64(result.AllocsPerOp()))
		}
		all = append(all, took, allocated)
	}
	return all, nil
}

func decode(payload []byte) (testing.BenchmarkResult, error) {
	var s smartmeter.Sample
	if err := wire.DecodeMetrics(payload, &s); err != nil {
		return testing.BenchmarkResult{}, fmt.Errorf("decode %s: %w", payload, err)
	}
	return testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = wire.DecodeMetrics(payload, &s) // it is known to be good
		}
	}), nil
}
