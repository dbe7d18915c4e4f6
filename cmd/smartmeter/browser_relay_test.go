package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/store"
)

// A relay on the page: what was asked, what its node says and what the watts
// say, each in its own word; alerts until they were seen; what the node does by
// itself, and a cut-off from the limit to its reset.
func TestBrowserRelay(t *testing.T) {
	dir := t.TempDir()
	weld(t, dir, "sim-kettle")
	demo := startReady(t, "demo", "--data", dir, "--history", "0", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0")
	ctx := newBrowser(t)
	complaints := watchComplaints(ctx)
	open := func(hash string) {
		t.Helper()
		visit(t, ctx, "http://"+demo.http+"/"+hash)
	}

	t.Run("an alarm stands above everything until it was seen", func(t *testing.T) {
		open("#/")
		const strip, mark = `[data-testid="alert-sim-kettle-welded_relay"]`, `[data-testid="mark-sim-kettle"]`
		waitFor(t, ctx, exists(strip)+" && "+exists(mark))
		pictures(t, ctx, "alert")
		do(t, ctx, chromedp.Click(chromedp.CSS(strip+" button")))
		waitFor(t, ctx, "!"+exists(strip)+" && "+exists(mark))
		open("#/device/sim-kettle")
		waitFor(t, ctx, exists(strip+"[data-severity=critical]"))
	})

	t.Run("asking, the node's word, the watts' word", func(t *testing.T) {
		open("#/device/sim-kettle")
		const button = `[data-testid="relay-sim-kettle"]`
		waitFor(t, ctx, exists(button+"[data-state=on]"))
		for _, want := range [][]string{
			{"asking…", "node says off", "watts agree"},
			{"asking…", "node says on", "watts cannot tell"}, // nobody makes tea
		} {
			do(t, ctx, chromedp.Evaluate[chromedp.Void](`(() => {
				const word = document.querySelector('.relay-word');
				window.words = [];
				window.watching?.disconnect();
				window.watching = new MutationObserver(() => window.words.push(word.textContent));
				window.watching.observe(word, { childList: true, subtree: true, characterData: true });
			})()`))
			do(t, ctx, chromedp.Click(chromedp.CSS(button)))
			waitFor(t, ctx, fmt.Sprintf(`window.words.at(-1) === %q`, want[2]))
			got := slices.Compact(strings.Split(run(t, ctx, chromedp.Evaluate[string](`window.words.join('|')`)), "|"))
			if !slices.Equal(got, want) {
				t.Errorf("the button said %q, want %q", got, want)
			}
		}
		do(t, ctx, chromedp.Click(chromedp.CSS(`[data-testid="relay-history"] summary`)))
		waitFor(t, ctx, `document.querySelectorAll('[data-testid="relay-history"] li').length === 2`)
	})

	t.Run("what the node does by itself is asked for, and in force", func(t *testing.T) {
		open("#/device/sim-kettle")
		const card = `[data-testid="protection"]`
		waitFor(t, ctx, exists(card+"[data-state=none]"))
		do(t, ctx, chromedp.Click(chromedp.CSS(`[data-testid="change-protection"]`)))
		waitFor(t, ctx, exists(card+" form"))
		pictures(t, ctx, "protection-change")
		do(t, ctx, chromedp.Evaluate[chromedp.Void](`(() => {
			const form = document.querySelector('`+card+` form');
			form.elements.kind.value = 'heater';
			form.elements.max_current.value = '16';
			form.requestSubmit();
		})()`))
		waitFor(t, ctx, exists(card+"[data-state=in_force]")+` && document.querySelector('`+card+`').textContent.includes('Beyond 16.0 A')`)
		pictures(t, ctx, "protection")
	})

	t.Run("a cut-off raises its alarm, and is reset", func(t *testing.T) {
		id := demo.busiest()
		if status := demo.call("PATCH", "/api/v1/devices/"+id, `{"settings":{"max_power":0.5,"hold_ms":0}}`, new(any)); status != 200 {
			t.Fatalf("set a limit: %d", status)
		}
		open("#/device/" + id)
		alert := `[data-testid="alert-` + id + `-cut_off"]`
		waitFor(t, ctx, exists(alert)+" && "+exists(`[data-testid="relay-`+id+`"][data-state=off]`))
		pictures(t, ctx, "cut-off")
		const reset = `[data-testid="protection"] .buttons .action`
		do(t, ctx, chromedp.Click(chromedp.CSS(reset)))
		waitFor(t, ctx, "!"+exists(alert))
	})

	for _, complaint := range complaints.stop() {
		t.Errorf("the browser complains: %s", complaint)
	}
}

// weld leaves a hub's store with the alarm of a welded relay in it.
func weld(t *testing.T, dir string, id smartmeter.DeviceID) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		s.PutDevice(smartmeter.Device{ID: id, Name: "Kettle", Room: "Kitchen", Kind: smartmeter.Generic, Node: smartmeter.NodeID(id)}),
		s.PutAlert(smartmeter.Alert{
			ID: "1", Kind: smartmeter.AlertWeldedRelay, Severity: smartmeter.Critical, Device: id, RaisedAt: smartmeter.InstantOf(time.Now()),
			Text: "Its relay is off, and its load still draws 812 W: the contact may be welded. Pull its plug or take out its fuse, and have the relay replaced.",
		}),
		s.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// busiest returns the device with a relay that draws most.
func (p *process) busiest() (id string) {
	p.t.Helper()
	var list struct {
		Devices []struct {
			ID     string
			Latest struct{ Power float64 }
			Relay  struct{ State string }
		}
	}
	p.call("GET", "/api/v1/devices", "", &list)
	most := 0.0
	for _, d := range list.Devices {
		if d.Relay.State == "on" && d.Latest.Power > most {
			id, most = d.ID, d.Latest.Power
		}
	}
	if id == "" {
		p.t.Fatal("nothing draws anything")
	}
	return id
}

func exists(selector string) string { return fmt.Sprintf("!!document.querySelector(%q)", selector) }

func waitFor(t *testing.T, ctx context.Context, condition string) {
	t.Helper()
	run(t, ctx, chromedp.Poll[bool](condition, chromedp.WithPollingTimeout(patience)))
}

// pictures checks that a page fits on a phone and on a desk, and keeps how it
// looks there.
func pictures(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	for _, size := range []struct {
		name          string
		width, height int64
	}{{"phone", 390, 844}, {"desktop", 1280, 800}} {
		do(t, ctx, chromedp.EmulateViewport(size.width, size.height))
		if wide := run(t, ctx, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`)); wide > size.width {
			t.Errorf("%s is %d px wide on a %s of %d px", name, wide, size.name, size.width)
		}
		keepPicture(t, run(t, ctx, chromedp.CaptureScreenshot()), fmt.Sprintf("relay-%s-%s.png", name, size.name))
	}
}
