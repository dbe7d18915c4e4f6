package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestS8UnitsAreHardened has systemd judge the units in packaging: 15 stands for
// an exposure of 1.5 of 10.
func TestS8UnitsAreHardened(t *testing.T) {
	units, err := filepath.Glob("../../packaging/*.service")
	if err != nil || len(units) != 2 {
		t.Fatalf("units %v, %v", units, err)
	}
	for _, unit := range units {
		out, err := exec.Command("systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=15", unit).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v (systemd-analyze is in the Debian package systemd)\n%s", unit, err, out)
		}
	}
}

// TestS8UnitsStartWhatThereIs reads the units' command lines as the program does.
func TestS8UnitsStartWhatThereIs(t *testing.T) {
	t.Setenv("SMARTMETER_SERIAL", "/dev/null") // from the node's file of settings
	for unit, privileged := range map[string]string{"hub": "smartmeter", "node": "smartmeter-node"} {
		text, err := os.ReadFile("../../packaging/smartmeter-" + unit + ".service")
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), "\nExecStart=/usr/bin/smartmeter ")
		command, _, _ := strings.Cut(rest, "\n")
		var line grammar
		parser, err := kong.New(&line, kong.Vars{"version": version}, kong.DefaultEnvars("SMARTMETER"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(strings.Fields(command)); err != nil {
			t.Errorf("%s: %q: %v", unit, command, err)
		}
		for _, want := range []string{"DynamicUser=yes", "StateDirectory=" + privileged, "NoNewPrivileges=yes", "CapabilityBoundingSet=\n"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s lacks %s", unit, want)
			}
		}
	}
}
