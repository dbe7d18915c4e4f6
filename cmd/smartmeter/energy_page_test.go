package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// pageCode is the dashboard's own code for figures, run by Node.js: it gets the
// API's answers, and tells what a person would read.
type pageCode struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
}

// pageFigures are the texts of the page.
type pageFigures struct {
	Tile   *string // nil where it says that nothing is known
	Bars   []any   // texts; false where nothing is known
	Shares []string
}

// runPageCode bundles web/src/figures.ts, and runs it until the test ends.
func runPageCode(t *testing.T) *pageCode {
	t.Helper()
	script := filepath.Join(t.TempDir(), "figures.mjs")
	bundle := exec.CommandContext(t.Context(), "go", "tool", "esbuild", "../../web/src/figures.ts",
		"--bundle", "--platform=node", "--format=esm", "--log-level=warning", "--outfile="+script)
	if out, err := bundle.CombinedOutput(); err != nil {
		t.Fatalf("bundle the page's code: %v\n%s", err, out)
	}
	node := exec.Command("node", script) // ends with its input
	in, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatalf("run Node.js: %v", err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := node.Wait(); err != nil {
			t.Errorf("the page's code: %v", err)
		}
	})
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	return &pageCode{t, in, lines}
}

// shows returns what the page makes of an answer of the API about a device, or
// the house.
func (p *pageCode) shows(answer []byte, id string) (shown pageFigures) {
	p.t.Helper()
	question := struct {
		Answer json.RawMessage `json:"answer"`
		ID     *string         `json:"id"`
	}{Answer: answer}
	if id != house {
		question.ID = &id
	}
	line, err := json.Marshal(question)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		p.t.Fatal(err)
	}
	if !p.out.Scan() {
		p.t.Fatalf("the page's code has ended: %v", p.out.Err())
	}
	if err := json.Unmarshal(p.out.Bytes(), &shown); err != nil {
		p.t.Fatalf("%s: %v", p.out.Bytes(), err)
	}
	return shown
}

// wattHours reads a text like "1 234.567 kWh", as a person would.
func (p *pageCode) wattHours(text string) int64 {
	p.t.Helper()
	number, isEnergy := strings.CutSuffix(text, "\u00a0kWh")
	digits := strings.NewReplacer("\u202f", "", ".", "", "\u2212", "-").Replace(number)
	wh, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !isEnergy || !strings.Contains(number, ".") {
		p.t.Fatalf("the page shows %q, which is no energy to the Wh", text)
	}
	return wh
}

// tile is what a tile, or the house, shows of a period; 0 where it says that
// nothing is known, as all others have then.
func (w *energyWorld) tile(p energyPeriod) int64 {
	shown := w.page.shows(w.body("/api/v1/energy?"+w.pageQuery(p, "whole")), string(p.device))
	if shown.Tile == nil {
		return 0
	}
	return w.page.wattHours(*shown.Tile)
}

// chart adds up the bars of a device; the house has none.
func (w *energyWorld) chart(p energyPeriod) (sum int64) {
	if p.device == house {
		return w.tile(p)
	}
	shown := w.page.shows(w.body("/api/v1/energy?"+w.pageQuery(p, p.step)), string(p.device))
	for _, bar := range shown.Bars {
		if text, known := bar.(string); known {
			sum += w.page.wattHours(text)
		}
	}
	return sum
}

// shares adds up where a parent's energy went: children and unmetered rest.
func (w *energyWorld) shares(p energyPeriod) (sum int64) {
	if p.device != "main" && p.device != "shed" {
		return w.tile(p)
	}
	shown := w.page.shows(w.body("/api/v1/energy?"+p.query("whole").Encode()), string(p.device))
	for _, text := range shown.Shares {
		sum += w.page.wattHours(text)
	}
	return sum
}

// pageQuery is how the page asks: it names no zone, the hub knows the site's.
func (w *energyWorld) pageQuery(p energyPeriod, step string) string {
	query := p.query(step)
	query.Del("tz")
	if p.device != house {
		query.Set("device", string(p.device))
	}
	return query.Encode()
}
