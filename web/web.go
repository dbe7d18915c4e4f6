// Package web is the dashboard: one page, and everything it needs, inside the
// program. It is written in TypeScript below src, bundled into dist by the
// program in build (`go run ./web/build`), and embedded from there.
//
// The page asks nobody but the hub that served it: no font, script or picture
// comes from elsewhere, and it holds no inline script or style, so that it runs
// under a Content-Security-Policy of default-src 'self'.
//
// A fresh clone has no bundle, and the module builds all the same. Handler then
// answers 503 with a page that says how to make one.
//
// What the package does not do: it knows no API, no login and no security
// headers. Those belong to the server that it is mounted in.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// New returns the handler for the dashboard that is built into this program.
// It is meant for "/", below which it answers for everything.
func New() (*Handler, error) {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, err
	}
	return newHandler(files)
}
