package cli_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDevices(t *testing.T) {
	s, flag := serve(t, hub{devices: household(t)})
	got := s.run(t, "devices", flag)
	golden(t, "devices.golden", got.Stdout)
	got.Stdout = ""
	check(t, got, result{})
}

// What a meter's own counter shows is told only to who asks for it.
func TestDevicesWithRegisters(t *testing.T) {
	s, flag := serve(t, hub{devices: household(t)})
	got := s.run(t, "devices", "--register", flag)
	golden(t, "devices-register.golden", got.Stdout)
	got.Stdout = ""
	check(t, got, result{})
}

func TestDevicesJSONIsTheHubsOwn(t *testing.T) {
	s, flag := serve(t, hub{devices: household(t)})
	got := s.run(t, "devices", "--json", flag)
	var want, have any
	if err := json.Unmarshal([]byte(household(t)), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(got.Stdout), &have); err != nil {
		t.Fatalf("not one JSON document: %v", err)
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("(-hub +printed):\n%s", diff)
	}
	got.Stdout = ""
	check(t, got, result{})
}

func TestDevicesNoneYet(t *testing.T) {
	s, flag := serve(t, hub{devices: `{"devices":[]}`})
	check(t, s.run(t, "devices", flag), result{
		Stdout: "No devices yet. A device appears here when its node first speaks to the hub's MQTT port.\n" +
			"To look around without a meter, start a simulated house with `smartmeter demo`.\n",
	})
	check(t, s.run(t, "devices", flag, "--json"), result{Stdout: "{\n  \"devices\": []\n}\n"})
}
