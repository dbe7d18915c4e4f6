package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/iot-smart-meter/smartmeter"
)

// A person finds on a device's page that 200 kWh wait for a decision, counts them,
// and takes that back: the figures follow, and are in the end what they were.
func TestDecideOnThePage(t *testing.T) {
	w := &energyWorld{t: t, hub: runEnergyHub(t)}
	begin := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	boiler := &energyMeter{}
	w.meters = map[smartmeter.NodeID]*energyMeter{"boiler": boiler}
	for at := begin; at.Before(begin.AddDate(0, 0, 2)); at = at.Add(5 * time.Minute) {
		boiler.measures(smartmeter.InstantOf(at), 1000)
		if at.Equal(begin.Add(30 * time.Hour)) {
			boiler.register += 200_000 * wattHourInDeciwattMillis
		}
	}
	for i := range boiler.readings {
		boiler.readings[i].Node = "boiler"
	}
	if err := w.hub.hub.Import(t.Context(), slices.Values(boiler.readings)); err != nil {
		t.Fatal(err)
	}
	w.meet()
	figures := func() string { return w.run("energy", "--from", "2025-06-01", "--to", "2025-06-03", "--csv") }
	before := figures()

	ctx := newBrowser(t)
	complaints := watchComplaints(ctx)
	do(t, ctx, chromedp.Navigate("http://"+w.hub.cfg.doors.http.Addr().String()+"/#/device/boiler?energy=month&on=2025-06-01"))
	total := func(want func(wh int64) bool, what string) {
		t.Helper()
		eventually(t, what, func() error {
			shown := run(t, ctx, chromedp.Evaluate[string](`document.querySelector('[data-testid="energy-total"]')?.dataset.wh ?? ""`))
			if shown == "" || !want(w.number(shown)) {
				return fmt.Errorf("the page shows %q Wh", shown)
			}
			return nil
		})
	}
	decide := func(button, why string) {
		t.Helper()
		run(t, ctx, chromedp.Poll[bool](`!!document.querySelector('[data-testid="`+button+`"]')`, chromedp.WithPollingTimeout(patience)))
		run(t, ctx, chromedp.Evaluate[bool](`document.querySelector('[data-testid="`+button+`"]').click() ?? true`))
		run(t, ctx, chromedp.Poll[bool](`!!document.querySelector('[data-testid="reason"]')`, chromedp.WithPollingTimeout(patience)))
		run(t, ctx, chromedp.Evaluate[bool](fmt.Sprintf(`(() => {
			const form = document.querySelector('[data-testid="reason"]');
			for (const [name, value] of [["by", "Ada"], ["why", %q]]) {
				form.elements[name].value = value;
				form.elements[name].dispatchEvent(new Event("input", { bubbles: true }));
			}
			form.requestSubmit();
			return true;
		})()`, why)))
	}
	held := func(wh int64) bool { return wh > 200_000 }
	total(func(wh int64) bool { return !held(wh) }, "the jump is not counted")
	decide("accept", "the kiln was on")
	total(held, "the jump is counted")
	if list := w.run("correct", "list"); !strings.Contains(list, "the kiln was on") || figures() == before {
		t.Errorf("the journal has\n%s", list)
	}
	decide("undo", "it was not")
	total(func(wh int64) bool { return !held(wh) }, "the jump is not counted again")
	if after := figures(); after != before {
		t.Errorf("after the undo:\n%s\nbefore:\n%s", after, before)
	}
	for _, complaint := range complaints.stop() {
		t.Errorf("the browser complains: %s", complaint)
	}
}
