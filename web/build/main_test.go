package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"*", "*/*"} {
		matches, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range matches {
			if info, err := os.Stat(match); err == nil && !info.IsDir() {
				found = append(found, strings.TrimPrefix(match, dir+string(filepath.Separator)))
			}
		}
	}
	slices.Sort(found)
	return found
}

func TestReplaceFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"README.txt": "kept", "index.html": "old", "icon.svg": "same", "assets/main-OLD.js": "old",
	})
	long := time.Unix(1, 0)
	if err := os.Chtimes(filepath.Join(dir, "icon.svg"), long, long); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{
		"index.html": []byte("new"), "icon.svg": []byte("same"), "assets/main-NEW.js": []byte("new"),
	}

	changed, err := replaceFiles(dir, files)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"assets/main-NEW.js", "index.html"}, changed); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"README.txt", "assets/main-NEW.js", "icon.svg", "index.html"}, names(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if info, err := os.Stat(filepath.Join(dir, "icon.svg")); err != nil || !info.ModTime().Equal(long) {
		t.Errorf("the unchanged icon was written: %v, %v", info.ModTime(), err)
	}

	changed, err = replaceFiles(dir, files)
	if err != nil || len(changed) != 0 {
		t.Errorf("the second time: changed %q, %v", changed, err)
	}
}

func TestBundleFillsThePage(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"src/main.tsx":        `import "./main.css"; document.title = "85 W";`,
		"src/main.css":        `body { color: black }`,
		"src/index.html":      `<link href="{{style}}"><script src="{{script}}"></script>`,
		"src/icon.svg":        `<svg/>`,
		"src/app.webmanifest": `{}`,
	})
	files, err := bundle(dir)
	if err != nil {
		t.Fatal(err)
	}
	html := string(files["index.html"])
	for name := range files {
		if strings.HasPrefix(name, "assets/") && !strings.Contains(html, `"`+name+`"`) {
			t.Errorf("the page %q does not name %s", html, name)
		}
	}
	if len(files) != 5 {
		t.Errorf("%d files, want the page, a script, a style sheet, the icon and the manifest", len(files))
	}
}

func TestBundleWithoutStyles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"src/main.tsx": `document.title = "85 W";`, "src/index.html": ``, "src/icon.svg": ``, "src/app.webmanifest": ``,
	})
	if _, err := bundle(dir); err == nil || !strings.Contains(err.Error(), "style sheet") {
		t.Errorf("error %v, want one about the missing style sheet", err)
	}
}

func TestRunOutsideTheSourceTree(t *testing.T) {
	if err := run(t.TempDir()); err == nil || !strings.Contains(err.Error(), "-dir") {
		t.Errorf("error %v, want one that names -dir", err)
	}
}

func TestInstallDoesNothingWhenInstalled(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"package-lock.json": "{}", "node_modules/.installed-lock.json": "{}"})
	t.Setenv("PATH", "") // there is no npm to be found
	if err := install(dir); err != nil {
		t.Error(err)
	}
	write(t, dir, map[string]string{"package-lock.json": `{"changed":true}`})
	if err := install(dir); err == nil || !strings.Contains(err.Error(), "npm is missing") {
		t.Errorf("error %v, want one that says where npm comes from", err)
	}
}
