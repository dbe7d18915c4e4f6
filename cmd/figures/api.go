package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// apiAsks is how often each address is asked, so that a 99th percentile says
// something.
const apiAsks = 200

// askAPI starts the program on a directory with a year behind it and asks it as
// one client does, over HTTP and to the last byte of the answer.
func (b *bench) askAPI(ctx context.Context, dir string, from, to smartmeter.Instant) (_ []*figure, err error) {
	hub, err := b.startHub(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, hub.stop()) }()
	at := func(i smartmeter.Instant) string { return i.Time().Format(time.RFC3339) }
	middle, device := from+(to-from)/dayMillis/2*dayMillis, "/devices/"+meterID(3)
	energy := func(path, step string, days smartmeter.Instant) string {
		since := max(to-days*dayMillis, from)
		return path + "/energy?" + url.Values{"from": {at(since)}, "to": {at(to)}, "step": {step}, "tz": {"UTC"}}.Encode()
	}
	var all []*figure
	for _, q := range []struct{ what, path string }{
		{"all devices with their latest readings", "/devices"},
		{"one device with its latest reading", device},
		{"a device's commands", device + "/commands"},
		{"a month's energy of all devices, by day", energy("", "1d", monthDays)},
		{"a year's energy of a device, by month", energy(device, "1mo", 365)},
		{"a month's energy of a device, by hour", energy(device, "1h", monthDays)},
		{"2,000 readings of a device, all six quantities", device + "/readings?" + url.Values{"from": {at(middle)}, "limit": {"2000"}}.Encode()},
		{"2,000 hours of a device's power", device + "/readings?" + url.Values{"from": {at(max(to-2000*3_600_000, from))}, "to": {at(to)}, "quantities": {"power"}, "step": {"1h"}}.Encode()},
	} {
		f := &figure{name: "API: " + q.what + ", 99th percentile", unit: "ms", target: below(10)}
		took, err := b.askPath(ctx, client{hub.addresses["http"]}, q.path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", q.what, err)
		}
		f.add(quantile(took, 0.99))
		f.note = fmt.Sprintf("median %s ms", number(quantile(took, 0.5)))
		all = append(all, f)
	}
	return all, nil
}

// askPath returns how long each answer took, in ms.
func (b *bench) askPath(ctx context.Context, api client, path string) (took []float64, err error) {
	for range apiAsks {
		begin := time.Now()
		res, err := api.open(ctx, path)
		if err != nil {
			return nil, err
		}
		_, err = io.Copy(io.Discard, res.Body)
		took = append(took, milliseconds(time.Since(begin)))
		if err := errors.Join(err, res.Body.Close()); err != nil {
			return nil, err
		}
	}
	return took, nil
}
