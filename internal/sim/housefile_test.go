package sim

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
)

func TestExampleIsTheDefaultHousehold(t *testing.T) {
	file, err := os.Open("../../docs/house.example.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	example, err := ReadHousehold(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(DefaultHousehold(), example); d != "" {
		t.Errorf("docs/house.example.json differs from what is built in:\n%s", d)
	}
}

func TestHouseFileNeedsLittle(t *testing.T) {
	got, err := ReadHousehold(strings.NewReader(`{"appliances": [{"appliance": "kettle", "id": "k"}]}`))
	want := &Household{Appliances: []Outlet{
		{Appliance: "kettle", ID: "k", Name: "Kettle", Kind: smartmeter.Heater, Power: 2200},
	}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
}

func TestHouseFileErrorsSayWhatToWrite(t *testing.T) {
	const kettle = `{"appliance": "kettle", "id": "k"}`
	for name, c := range map[string]struct{ file, want string }{
		"empty":          {``, "line 1: the file ends too early: a bracket is not closed"},
		"cut off":        {"{\n\"appliances\": [\n", "line 3: the file ends too early: a bracket is not closed"},
		"not JSON":       {"{\n  appliances: []}", "line 2: this is not JSON: invalid character 'a'"},
		"a list":         {`[]`, "line 1: must be an object in { }, not array"},
		"no appliances":  {`{}`, "appliances: must not be empty: list at least one, as "},
		"unknown field":  {`{"applainces": []}`, `there is no field "applainces": a house has main and appliances;`},
		"twice":          {"{\"main\": {\"id\": \"a\",\n\"id\": \"b\"}}", `line 2: the field "id" is there twice: remove one`},
		"more":           {`{"appliances": [` + kettle + "]}\n{}", "line 2: a house file ends with the } of its only object"},
		"appliance":      {`{"appliances": [{"appliance": "ketle", "id": "k"}]}`, `appliances[0].appliance: "ketle" is not known: use fridge, freezer, kettle, air_conditioner, water_heater, washing_machine, tv or lights`},
		"no id":          {`{"appliances": [` + kettle + `, {"appliance": "tv"}]}`, "appliances[1].id: must have 1 to 64 characters of A-Z a-z 0-9 . _ - and nothing else"},
		"id taken":       {`{"appliances": [` + kettle + `, ` + kettle + `]}`, `appliances[1].id: "k" is taken: every node needs one of its own`},
		"id of the main": {`{"main": {"id": "k"}, "appliances": [` + kettle + `]}`, `appliances[0].id: "k" is taken`},
		"kind":           {`{"appliances": [{"appliance": "tv", "id": "t", "kind": "telly"}]}`, `appliances[0].kind: "telly" is not known: use generic, must_stay_on, heater, compressor or lighting`},
		"power":          {`{"appliances": [{"appliance": "tv", "id": "t", "power_w": 5000}]}`, "appliances[0].power_w: must be from 20 to 500, in whole watts"},
		"negative":       {`{"appliances": [{"appliance": "tv", "id": "t", "power_w": -5}]}`, "appliances[0].power_w: must be from 20 to 500, in whole watts"},
		"half a watt":    {`{"appliances": [{"appliance": "tv", "id": "t", "power_w": 90.5}]}`, "line 1: appliances.power_w: must be a whole number, not number 90.5"},
		"text":           {"{\"appliances\": [\n{\"appliance\": \"tv\", \"id\": \"t\", \"power_w\": \"90\"}]}", "line 2: appliances.power_w: must be a whole number, not string"},
		"id a number":    {`{"appliances": [{"appliance": "tv", "id": 7}]}`, "line 1: appliances.id: must be text in quotes, not number"},
		"base":           {`{"main": {"id": "m", "base_w": 5}, "appliances": [` + kettle + `]}`, "main.base_w: must be from 20 to 2000, in whole watts"},
		"main without":   {`{"main": {}, "appliances": [` + kettle + `]}`, "main.id: must have 1 to 64 characters"},
		"long name":      {`{"appliances": [{"appliance": "tv", "id": "t", "name": "` + strings.Repeat("x", 65) + `"}]}`, "appliances[0].name: must have at most 64 characters"},
		"spaces":         {`{"appliances": [{"appliance": "tv", "id": "t", "room": " den"}]}`, "appliances[0].room: must not begin or end with a space"},
		"control":        {`{"appliances": [{"appliance": "tv", "id": "t", "name": "a\u0007b"}]}`, "appliances[0].name: must be text without control characters"},
		"direction":      {`{"appliances": [{"appliance": "tv", "id": "t", "name": "a\u202eb"}]}`, "appliances[0].name: must be text without control characters and invisible ones"},
		"no width":       {`{"main": {"id": "m", "room": "a\u200bb"}, "appliances": [` + kettle + `]}`, "main.room: must be text without control characters and invisible ones"},
		"endless":        {strings.Repeat(" ", maxHouseFile+1), "a house file has at most 1 MiB"},
	} {
		got, err := ReadHousehold(strings.NewReader(c.file))
		if err == nil || got != nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v\n\twant %s", name, err, c.want)
		}
	}
}

func TestPowerOfAHouseFileIsWhatIsDrawn(t *testing.T) {
	s := testSite(t, 1)
	s.household.Appliances[2].Power = 3000
	h := s.on(testDate)
	h.outlets[2].appliance.use(1000)
	h.second()
	h.second()
	if got := h.outlets[2].load.power; got < 2700*watt || got > 3100*watt {
		t.Errorf("a kettle of 3 kW draws %d mW", got)
	}
	small, large := modelOf("water_heater").build(1000*watt, randomOn(1, testDate)), modelOf("water_heater").build(4000*watt, randomOn(1, testDate))
	if a, b := small.(*waterHeater).effect, large.(*waterHeater).effect; b != 4*a {
		t.Errorf("1 kW heats by %d µK, 4 kW by %d", a, b)
	}
}
