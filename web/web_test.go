package web

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// budget is what scripts and styles may weigh together, gzipped.
const budget = 120_000

// built returns the handler of the dashboard in this test binary. The tests
// that need one are about what `go run ./web/build` made; `make test` runs it
// first.
func built(t *testing.T) *Handler {
	t.Helper()
	h, err := New()
	if err != nil {
		t.Fatal(err)
	}
	if !h.Built() {
		t.Fatal("the dashboard is not built: run `go run ./web/build` from the top of the source tree first")
	}
	return h
}

func TestBudget(t *testing.T) {
	sum := 0
	for name, f := range built(t).files {
		if ext := path.Ext(name); ext == ".js" || ext == ".css" {
			sum += len(f.gzipped.data)
			t.Logf("%s: %d bytes gzipped", name, len(f.gzipped.data))
		}
	}
	if sum == 0 || sum > budget {
		t.Errorf("scripts and styles weigh %d bytes gzipped, allowed are 1 to %d", sum, budget)
	}
}

// A policy of default-src 'self' forbids scripts and styles inside the page,
// handlers and styles in attributes, and data: addresses.
func TestPageObeysTheContentSecurityPolicy(t *testing.T) {
	html := string(built(t).files[indexName].plain.data)
	forbidden := map[string]string{
		"a script inside the page": `(?is)<script[^>]*>[^<\s]`,
		"a script without src":     `(?is)<script(?:\s+(?:type|async|defer)[^\s>]*)*\s*>`,
		"a style inside the page":  `(?i)<style`,
		"a style attribute":        `(?i)\sstyle\s*=`,
		"an event handler":         `(?i)\son[a-z]+\s*=`,
		"another origin":           `(?i)(?:src|href)\s*=\s*"?(?:https?:)?//`,
		"a data address":           `(?i)data:`,
		"an unfilled place":        `\{\{`,
	}
	for what, pattern := range forbidden {
		if found := regexp.MustCompile(pattern).FindString(html); found != "" {
			t.Errorf("index.html has %s: %q", what, found)
		}
	}
	for _, name := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(html, -1) {
		if built(t).files[name[1]] == nil {
			t.Errorf("index.html refers to %s, which is not there", name[1])
		}
	}
}

// Code made at run time is forbidden by the same policy, and an address in a
// script or style sheet would be a request that leaves the hub.
func TestAssetsObeyTheContentSecurityPolicy(t *testing.T) {
	forbidden := regexp.MustCompile(`\beval\(|new Function\(|url\(\s*["']?(?:https?:|//|data:)|@import|fetch\(["']https?:`)
	for name, f := range built(t).files {
		if !strings.HasPrefix(name, assetFolder) {
			continue
		}
		if found := forbidden.FindString(string(f.plain.data)); found != "" {
			t.Errorf("%s contains %s", name, found)
		}
	}
}

func TestEmbeddedReadmeSaysWhatToDo(t *testing.T) {
	text, err := fs.ReadFile(dist, "dist/"+unbuiltName)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "make\n") {
		t.Errorf("the page of an unbuilt dashboard does not tell to run make:\n%s", text)
	}
}

// Exact versions and no registry's addresses, so that a clone builds the same
// page from whichever registry its owner uses.
func TestPackagesArePinned(t *testing.T) {
	lock, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(lock), `"resolved"`) {
		t.Error("package-lock.json names a registry: npm wrote it without web/.npmrc's omit-lockfile-registry-resolved")
	}
	manifest, err := os.ReadFile("package.json")
	if err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`"[~^>][^"]*\d"|"\*"|"latest"`).FindString(strings.ReplaceAll(string(manifest), `">=20"`, "")); found != "" {
		t.Errorf("package.json asks for %s: name one version", found)
	}
}
