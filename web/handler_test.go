package web

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const script = "const watts = 85;\n"

// dashboard is a small built one, with a script that is worth compressing.
func dashboard() fstest.MapFS {
	return fstest.MapFS{
		"README.txt":              {Data: []byte("run make\n")},
		"index.html":              {Data: []byte("<!doctype html><title>Smartmeter</title>")},
		"icon.svg":                {Data: []byte("<svg/>")},
		"app.webmanifest":         {Data: []byte("{}")},
		"assets/main-ABCDEFGH.js": {Data: []byte(strings.Repeat(script, 100))},
	}
}

func get(t *testing.T, files fstest.MapFS, method, path string, header http.Header) *http.Response {
	t.Helper()
	h, err := newHandler(files)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	r.Header = header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestFilesAndTheirHeaders(t *testing.T) {
	const forever = "public, max-age=31536000, immutable"
	tests := []struct {
		path, contentType, cacheControl string
	}{
		{"/", "text/html; charset=utf-8", "no-cache"},
		{"/index.html", "text/html; charset=utf-8", "no-cache"},
		{"/icon.svg", "image/svg+xml", "no-cache"},
		{"/app.webmanifest", "application/manifest+json", "no-cache"},
		{"/assets/main-ABCDEFGH.js", "text/javascript; charset=utf-8", forever},
	}
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			resp := get(t, dashboard(), "GET", test.path, http.Header{})
			if resp.StatusCode != http.StatusOK {
				t.Fatalf("status %d", resp.StatusCode)
			}
			got := []string{resp.Header.Get("Content-Type"), resp.Header.Get("Cache-Control")}
			if diff := cmp.Diff([]string{test.contentType, test.cacheControl}, got); diff != "" {
				t.Errorf("type and caching (-want +got):\n%s", diff)
			}
			if resp.Header.Get("ETag") == "" {
				t.Error("no ETag")
			}
		})
	}
}

func TestWhatDoesNotExist(t *testing.T) {
	for _, path := range []string{"/nothing", "/assets/", "/assets", "/README.txt", "/../web.go", "//index.html"} {
		t.Run(path, func(t *testing.T) {
			if resp := get(t, dashboard(), "GET", path, http.Header{}); resp.StatusCode != http.StatusNotFound {
				t.Errorf("status %d, want 404", resp.StatusCode)
			}
		})
	}
}

func TestOnlyReading(t *testing.T) {
	for _, method := range []string{"POST", "PUT", "DELETE"} {
		resp := get(t, dashboard(), method, "/", http.Header{})
		if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: status %d, Allow %q", method, resp.StatusCode, resp.Header.Get("Allow"))
		}
	}
	resp := get(t, dashboard(), "HEAD", "/", http.Header{})
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || len(body) != 0 {
		t.Errorf("HEAD: status %d, %d bytes", resp.StatusCode, len(body))
	}
}

func TestGzip(t *testing.T) {
	tests := []struct {
		name, path, accept string
		want               bool
	}{
		{"asked for", "/assets/main-ABCDEFGH.js", "gzip, deflate, br", true},
		{"with a weight", "/assets/main-ABCDEFGH.js", "br;q=1.0, GZIP; q=0.5", true},
		{"not asked for", "/assets/main-ABCDEFGH.js", "", false},
		{"refused", "/assets/main-ABCDEFGH.js", "gzip;q=0", false},
		{"refused in full", "/assets/main-ABCDEFGH.js", "br, gzip; q=0.000", false},
		{"another coding", "/assets/main-ABCDEFGH.js", "xgzip", false},
		{"too small to gain", "/icon.svg", "gzip", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			resp := get(t, dashboard(), "GET", test.path, http.Header{"Accept-Encoding": {test.accept}})
			zipped := resp.Header.Get("Content-Encoding") == "gzip"
			if zipped != test.want {
				t.Fatalf("gzipped %t, want %t", zipped, test.want)
			}
			var body io.Reader = resp.Body
			if zipped {
				var err error
				if body, err = gzip.NewReader(resp.Body); err != nil {
					t.Fatal(err)
				}
			}
			data, err := io.ReadAll(body)
			if err != nil {
				t.Fatal(err)
			}
			if want := string(dashboard()[test.path[1:]].Data); string(data) != want {
				t.Errorf("body of %d bytes differs from the file of %d", len(data), len(want))
			}
		})
	}
}

func TestUnchangedFileIsNotSentAgain(t *testing.T) {
	const path = "/assets/main-ABCDEFGH.js"
	plain := get(t, dashboard(), "GET", path, http.Header{}).Header.Get("ETag")
	zipped := get(t, dashboard(), "GET", path, http.Header{"Accept-Encoding": {"gzip"}}).Header.Get("ETag")
	if plain == zipped {
		t.Errorf("both representations have the ETag %s", plain)
	}
	resp := get(t, dashboard(), "GET", path, http.Header{"If-None-Match": {plain}})
	if resp.StatusCode != http.StatusNotModified {
		t.Errorf("status %d for the known ETag, want 304", resp.StatusCode)
	}
	changed := dashboard()
	changed[path[1:]].Data = []byte("const watts = 86;")
	resp = get(t, changed, "GET", path, http.Header{"If-None-Match": {plain}})
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %d for the ETag of an older file, want 200", resp.StatusCode)
	}
}

func TestNotBuilt(t *testing.T) {
	unbuilt := fstest.MapFS{"README.txt": dashboard()["README.txt"]}
	for _, path := range []string{"/", "/index.html"} {
		resp := get(t, unbuilt, "GET", path, http.Header{})
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusServiceUnavailable || string(body) != "run make\n" {
			t.Errorf("%s: status %d, %q", path, resp.StatusCode, body)
		}
	}
}
