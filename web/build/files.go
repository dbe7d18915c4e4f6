package main

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// keptFile is the one file of dist that is not built: it keeps the folder in
// the repository, so that go:embed finds something before the first build.
const keptFile = "README.txt"

// replaceFiles makes dir hold exactly files and keptFile, and returns the names
// of those it wrote. A file that would not change keeps its modification time.
func replaceFiles(dir string, files map[string][]byte) (changed []string, err error) {
	if err := removeOthers(dir, files); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		full := filepath.Join(dir, filepath.FromSlash(name))
		old, err := os.ReadFile(full)
		if err == nil && bytes.Equal(old, files[name]) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return changed, err
		}
		if err := os.WriteFile(full, files[name], 0o644); err != nil {
			return changed, err
		}
		changed = append(changed, name)
	}
	return changed, nil
}

func removeOthers(dir string, files map[string][]byte) error {
	return filepath.WalkDir(dir, func(full string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, full)
		if err != nil {
			return err
		}
		if _, wanted := files[filepath.ToSlash(name)]; wanted || name == keptFile {
			return nil
		}
		return os.Remove(full)
	})
}
