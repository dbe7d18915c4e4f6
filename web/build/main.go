// Command build makes the dashboard: it installs the packages that
// web/package-lock.json names, bundles web/src into web/dist, and leaves every
// file alone that would not change. Run it from the top of the source tree:
//
//	go run ./web/build
//
// It needs npm only while the installed packages differ from the lock file.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

func main() {
	dir := flag.String("dir", "web", "the dashboard's `folder`")
	flag.Parse()
	if err := run(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "web/build:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "package-lock.json")); err != nil {
		return fmt.Errorf("%w: run this from the top of the source tree, or name the folder with -dir", err)
	}
	if err := install(dir); err != nil {
		return err
	}
	files, err := bundle(dir)
	if err != nil {
		return err
	}
	changed, err := replaceFiles(filepath.Join(dir, "dist"), files)
	if err != nil {
		return err
	}
	for _, name := range changed {
		fmt.Println(filepath.Join(dir, "dist", name))
	}
	return nil
}

// install brings node_modules up to the lock file. A copy of the lock file is
// left inside as the mark of a complete installation.
func install(dir string) error {
	lock, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return err
	}
	mark := filepath.Join(dir, "node_modules", ".installed-lock.json")
	installed, err := os.ReadFile(mark)
	if err == nil && bytes.Equal(installed, lock) {
		return nil
	}
	cmd := exec.Command("npm", "ci", "--no-audit", "--no-fund")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, os.Stdout, os.Stderr
	if err := cmd.Run(); errors.Is(err, exec.ErrNotFound) {
		return errors.New("npm is missing: the dashboard needs Node.js 20 or newer, from your distribution or https://nodejs.org")
	} else if err != nil {
		return fmt.Errorf("npm ci: %w", err)
	}
	return os.WriteFile(mark, lock, 0o644)
}
