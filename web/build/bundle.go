package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// staticFiles go into dist as they are, besides the page and its assets.
var staticFiles = []string{"icon.svg", "app.webmanifest"}

// bundle returns all files of the dashboard by their slash-separated path
// inside dist. Scripts and styles carry a hash of their content in the name.
func bundle(dir string) (map[string][]byte, error) {
	src := filepath.Join(dir, "src")
	outdir, err := filepath.Abs(filepath.Join(dir, "dist"))
	if err != nil {
		return nil, err
	}
	result := api.Build(options(src, outdir))
	if len(result.Errors) > 0 {
		return nil, fmt.Errorf("esbuild found %d errors, see above", len(result.Errors))
	}
	files := make(map[string][]byte)
	for _, out := range result.OutputFiles {
		name, err := filepath.Rel(outdir, out.Path)
		if err != nil {
			return nil, err
		}
		files[filepath.ToSlash(name)] = out.Contents
	}
	for _, name := range staticFiles {
		if files[name], err = os.ReadFile(filepath.Join(src, name)); err != nil {
			return nil, err
		}
	}
	files["index.html"], err = page(filepath.Join(src, "index.html"), files)
	return files, err
}

func options(src, outdir string) api.BuildOptions {
	return api.BuildOptions{
		EntryPoints:       []string{filepath.Join(src, "main.tsx")},
		Outdir:            outdir,
		EntryNames:        "assets/[name]-[hash]",
		Bundle:            true,
		Format:            api.FormatESModule,
		Platform:          api.PlatformBrowser,
		Target:            api.ES2022,
		Charset:           api.CharsetUTF8,
		JSX:               api.JSXAutomatic,
		JSXImportSource:   "preact",
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		LegalComments:     api.LegalCommentsInline,
		LogLevel:          api.LogLevelWarning,
	}
}

// page fills the names of the one script and the one style sheet into the page.
func page(template string, files map[string][]byte) ([]byte, error) {
	html, err := os.ReadFile(template)
	if err != nil {
		return nil, err
	}
	script, style := "", ""
	for name := range files {
		switch path.Ext(name) {
		case ".js":
			script = name
		case ".css":
			style = name
		}
	}
	if script == "" || style == "" {
		return nil, errors.New("the bundle lacks its script or its style sheet: does src/main.tsx import both?")
	}
	filled := strings.NewReplacer("{{script}}", script, "{{style}}", style).Replace(string(html))
	return []byte(filled), nil
}
