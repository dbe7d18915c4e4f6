package api

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/VictoriaMetrics/metrics"
	"github.com/iot-smart-meter/smartmeter"
)

// joulesPerWattHour turns registers into Prometheus' base unit.
const joulesPerWattHour = 3600

// serveMetrics writes what a Prometheus server scrapes: text format 0.0.4, base
// units, a label for the device.
func (a *api) serveMetrics(w http.ResponseWriter, _ *http.Request) {
	set := metrics.NewSet()
	gauge := func(name string, value float64) { set.NewGauge(name, nil).Set(value) }
	for _, d := range a.hub.Devices() {
		measureDevice(gauge, d)
	}
	for node, reasons := range a.hub.Refused() {
		for reason, n := range reasons {
			set.NewCounter(fmt.Sprintf(`smartmeter_refused_total{node="%s",reason="%s"}`, node, reason)).Set(n)
		}
	}
	for name, value := range a.more() {
		gauge(name, value)
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	set.WritePrometheus(w)
}

// measureDevice writes a device's numbers. What is not known now is left out:
// an old value would look fresh to whoever scrapes it.
func measureDevice(gauge func(name string, value float64), d smartmeter.DeviceStatus) {
	of := func(name string) string {
		return fmt.Sprintf(`smartmeter_%s{device="%s",name="%s",room="%s"}`, name, d.ID, label(d.Name), label(d.Room))
	}
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
		gauge(of("energy_joules_total"), float64(d.Latest.Energy)*joulesPerWattHour)
	}
}

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
