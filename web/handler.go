package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

const (
	indexName   = "index.html"
	unbuiltName = "README.txt"
	// assetFolder holds the files whose names change with their content.
	assetFolder = "assets/"
)

// Handler serves the dashboard's files from memory, gzipped to whoever takes
// it. It is safe for concurrent use.
type Handler struct {
	files map[string]*file // by path, without the leading slash
}

// file is one file, ready to be sent.
type file struct {
	contentType  string
	cacheControl string
	plain        body
	gzipped      body // data is nil where gzip saves nothing
}

// body is one representation of a file.
type body struct {
	data []byte
	etag string
}

// newHandler reads all of fsys into memory.
func newHandler(fsys fs.FS) (*Handler, error) {
	h := &Handler{files: make(map[string]*file)}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		h.files[name], err = newFile(name, data)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the dashboard's files: %w", err)
	}
	return h, nil
}

func newFile(name string, data []byte) (*file, error) {
	packed, err := pack(data)
	if err != nil {
		return nil, fmt.Errorf("compress %s: %w", name, err)
	}
	sum := sha256.Sum256(data)
	tag := hex.EncodeToString(sum[:8])
	f := &file{
		contentType:  contentType(name),
		cacheControl: "no-cache",
		plain:        body{data, `"` + tag + `"`},
	}
	if strings.HasPrefix(name, assetFolder) {
		f.cacheControl = "public, max-age=31536000, immutable"
	}
	if len(packed) < len(data) {
		f.gzipped = body{packed, `"` + tag + `-gzip"`}
	}
	return f, nil
}

func pack(data []byte) ([]byte, error) {
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// contentType is our own table because mime.TypeByExtension asks the machine
// it runs on, and a browser refuses a script that comes as text/plain.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".webmanifest":
		return "application/manifest+json"
	case ".txt":
		return "text/plain; charset=utf-8"
	default:
		return "application/octet-stream"
	}
}

// Built reports whether the dashboard was bundled before the program was built.
func (h *Handler) Built() bool { return h.files[indexName] != nil }

// ServeHTTP answers "/" with the page and every other path with the file of
// that name, or 404: the page keeps its own places behind a "#".
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "the dashboard's files can only be read", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == "" {
		name = indexName
	}
	if name == indexName && !h.Built() {
		h.serveUnbuilt(w)
		return
	}
	f := h.files[name]
	if f == nil || name == unbuiltName {
		http.NotFound(w, r)
		return
	}
	f.serve(w, r)
}

func (h *Handler) serveUnbuilt(w http.ResponseWriter) {
	w.Header().Set("Content-Type", contentType(unbuiltName))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusServiceUnavailable)
	if f := h.files[unbuiltName]; f != nil {
		_, _ = w.Write(f.plain.data) // nobody is left to tell
	}
}

// serve leaves HEAD, ranges and conditional requests to http.ServeContent.
func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	header, b := w.Header(), f.plain
	if f.gzipped.data != nil {
		header.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			header.Set("Content-Encoding", "gzip")
			b = f.gzipped
		}
	}
	header.Set("Content-Type", f.contentType)
	header.Set("Cache-Control", f.cacheControl)
	header.Set("ETag", b.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b.data))
}

// acceptsGzip reads Accept-Encoding (RFC 9110 section 12.5.3) as far as it
// concerns gzip: named, and not with a weight of zero.
func acceptsGzip(r *http.Request) bool {
	for _, field := range r.Header.Values("Accept-Encoding") {
		for item := range strings.SplitSeq(field, ",") {
			coding, weight, _ := strings.Cut(item, ";")
			if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
				return strings.Trim(weight, " qQ=.0") != "" || weight == ""
			}
		}
	}
	return false
}
