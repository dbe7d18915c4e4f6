package main

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestS13FirstRunInTheBrowser makes the first account as a person does, and says
// where the house is and what a kWh costs.
func TestS13FirstRunInTheBrowser(t *testing.T) {
	hub := startReady(t, "hub", "--data", t.TempDir(), "--log-level", "error",
		"--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--mqtts", "127.0.0.1:0")
	ctx := newBrowser(t)
	complaints := watchComplaints(ctx)
	do(t, ctx, chromedp.Navigate("http://"+hub.http))
	see := func(words string) {
		t.Helper()
		run(t, ctx, chromedp.Poll[bool](`document.body.textContent.includes("`+words+`")`, chromedp.WithPollingTimeout(patience)))
	}
	fill := func(name, value string) {
		t.Helper()
		run(t, ctx, chromedp.Evaluate[string](`document.querySelector('[name="`+name+`"]').value = "`+value+`"`))
	}
	send := func() { do(t, ctx, chromedp.Click(chromedp.CSS(`button[type="submit"]`))) }

	see("Make the first account")
	fill("code", hub.said.code())
	fill("name", "anna")
	fill("password", "correct horse battery")
	send()
	see("Time zone")
	fill("zone", "Europe/Berlin")
	fill("currency", "EUR")
	fill("price", "0.3199")
	send()
	see("Waiting for your first node")
	do(t, ctx, chromedp.Reload())
	see("Waiting for your first node") // the session lasts
	do(t, ctx, chromedp.Click(chromedp.CSS(`[data-testid="log-out"]`)))
	see("Password")
	for _, complaint := range complaints.stop() {
		t.Errorf("the browser complains: %s", complaint)
	}
}
