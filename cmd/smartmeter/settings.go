package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// settings are lines of KEY=VALUE, as in an environment file of systemd:
// blank lines and those that begin with # do not count.
type settings map[string]string

// settingsFile reads a --config file.
func settingsFile(r io.Reader) (kong.Resolver, error) {
	s := make(settings)
	scanner := bufio.NewScanner(r)
	for n := 1; scanner.Scan(); n++ {
		line := strings.TrimSpace(scanner.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || !strings.HasPrefix(key, "SMARTMETER_") {
			return nil, fmt.Errorf("line %d: want SMARTMETER_NAME=value, found %q", n, line)
		}
		s[strings.TrimSpace(key)] = strings.Trim(strings.TrimSpace(value), `"'`)
	}
	return s, scanner.Err()
}

// Validate refuses keys that no flag has.
func (s settings) Validate(app *kong.Application) error {
	known := make(map[string]bool)
	var note func(*kong.Node)
	note = func(command *kong.Node) {
		for _, flag := range command.Flags {
			for _, env := range flag.Envs {
				known[env] = true
			}
		}
		for _, child := range command.Children {
			note(child)
		}
	}
	note(app.Node)
	for key := range s {
		if !known[key] {
			return fmt.Errorf("there is no setting %s; `smartmeter hub --help` lists them", key)
		}
	}
	return nil
}

// Resolve gives a flag its value from the file, unless the environment has one.
func (s settings) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, env := range flag.Envs {
		if _, ok := os.LookupEnv(env); ok {
			return nil, nil
		}
		if value, ok := s[env]; ok {
			return value, nil
		}
	}
	return nil, nil
}
