package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/access"
)

// joulesPerWattHour turns energy into Prometheus' base unit.
const joulesPerWattHour = 3600

// serveMetrics writes what a Prometheus server scrapes: text format 0.0.4, base
// units, a label for the device.
func (a *api) serveMetrics(w http.ResponseWriter, r *http.Request) {
	set := metrics.NewSet()
	gauge := func(name string, value float64) { set.NewGauge(name, nil).Set(value) }
	for _, d := range a.visible(r.Context()) {
		measureDevice(gauge, d)
	}
	if err := a.measureEnergy(r.Context(), gauge); err != nil && r.Context().Err() == nil {
		a.log.Error("/metrics goes without energy", "err", err)
	}
	if whoAsks(r.Context()).May(access.SeeSite) {
		a.measureSite(set, gauge)
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	set.WritePrometheus(w)
}

// measureSite writes what belongs to no device.
func (a *api) measureSite(set *metrics.Set, gauge func(name string, value float64)) {
	for node, reasons := range a.hub.Refused() {
		for reason, n := range reasons {
			set.NewCounter(fmt.Sprintf(`smartmeter_refused_total{node="%s",reason="%s"}`, node, reason)).Set(n)
		}
	}
	for name, value := range a.more() {
		gauge(name, value)
	}
}

// measureDevice writes a device's numbers. What is not known now is left out:
// an old value would look fresh to whoever scrapes it.
func measureDevice(gauge func(name string, value float64), d smartmeter.DeviceStatus) {
	of := func(name string) string { return metricOf(d.Device, name, "") }
	gauge(of("online"), truth(d.Online))
	if state := d.Relay.State; state == smartmeter.RelayOn || state == smartmeter.RelayOff {
		gauge(of("relay_on"), truth(state == smartmeter.RelayOn))
	}
	if d.Latest == nil || !d.Online || d.MeterSilent {
		return
	}
	for _, q := range quantities {
		if name := q.metric; name != "" && d.Latest.Has.Has(q.bit) {
			gauge(of(name), q.value(d.Latest))
		}
	}
	if d.Latest.Has.Has(smartmeter.Energy) {
		gauge(of("register_joules"), float64(d.Latest.Energy)*joulesPerWattHour)
	}
}

// metricOf names a metric of a device; more are labels beyond the usual ones.
func metricOf(d smartmeter.Device, name, more string) string {
	return fmt.Sprintf(`smartmeter_%s{device="%s",name="%s",room="%s"%s}`, name, d.ID, label(d.Name), label(d.Room), more)
}

// measureEnergy writes what devices and the house used, by the same answer that
// everybody gets. It stands while a device is silent, and so it is told of all.
//
// A correction can take energy away, which whoever scrapes a counter would take
// for one that began again at 0. So it begins a series of its own.
func (a *api) measureEnergy(ctx context.Context, gauge func(name string, value float64)) error {
	q, err := a.energyQuery(ctx, &EnergyRange{Step: "whole"})
	if err != nil {
		return err
	}
	if something, err := a.confine(ctx, &q); err != nil || !something {
		return err
	}
	today, err := a.hub.Energy(ctx, q)
	if err != nil {
		return err
	}
	q.From = smartmeter.InstantOf(firstEver)
	ever, err := a.hub.Energy(ctx, q)
	if err != nil {
		return err
	}
	journal, err := a.hub.Corrections(ctx)
	if err != nil {
		return err
	}
	for _, d := range ever.Devices {
		name := metricOf(d.Device, "energy_joules_total", fmt.Sprintf(`,corrections="%d"`, len(journal)))
		gauge(name, joules(d.Buckets[0])) // a counter is at 0 before it counts
	}
	for _, d := range today.Devices {
		if b := d.Buckets[0]; b.Quality != 0 {
			gauge(metricOf(d.Device, "energy_today_joules", ""), joules(b))
		}
	}
	if today.House == nil {
		return nil // who asks does not see all of it
	}
	if b := today.House[0]; b.Quality != 0 {
		gauge("smartmeter_house_energy_today_joules", joules(b))
	}
	return nil
}

func joules(b smartmeter.EnergyBucket) float64 { return float64(b.Energy) * joulesPerWattHour }

// firstEver is before any reading.
var firstEver = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// label escapes what a label may hold. Go's quoting would write other
// characters as \u…, which the text format does not know.
func label(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
