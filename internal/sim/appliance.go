package sim

import (
	"math/rand/v2"

	"github.com/iot-smart-meter/smartmeter"
)

// appliance is what hangs on a simulated outlet. It begins at four in the
// morning, unused.
type appliance interface {
	// plan says when people use it on a day. They do so whether it has power or
	// not.
	plan(d *day, r *rand.Rand) []use
	// use is called when a time of the plan has come.
	use(amount int)
	// pass lets a second pass. Without power it goes on, too: a fridge warms up.
	pass(now *moment)
	// load is what it draws in the second that passed last, with power.
	load(now *moment) load
}

// moment is the world around an appliance during one second.
type moment struct {
	unix      int64
	ofDay     int // seconds since midnight, on the clocks of the home
	outside   microkelvin
	powered   bool // the relay is on
	voltage   smartmeter.Decivolt
	frequency smartmeter.Decihertz
	// key and chance belong to one appliance: for all its chances, and for
	// those of this second.
	key, chance uint64
}

// model is a kind of appliance.
type model struct {
	word string // what it is called in a house file
	name string
	kind smartmeter.LoadKind
	// watts is what it is rated at, unless told otherwise between least and most.
	watts, least, most int
	// daily is about how much it uses a day.
	daily smartmeter.WattHour
	build func(rated milliwatt, r *rand.Rand) appliance
}

// models are all kinds of appliances.
var models = [...]model{
	{"fridge", "Fridge", smartmeter.Compressor, 85, 40, 500, 800, newFridge},
	{"freezer", "Freezer", smartmeter.MustStayOn, 78, 40, 500, 650, newFreezer},
	{"kettle", "Kettle", smartmeter.Heater, 2200, 500, 3000, 450, newKettle},
	{"air_conditioner", "Air conditioner", smartmeter.Compressor, 920, 300, 4000, 1500, newAirConditioner},
	{"water_heater", "Water heater", smartmeter.Heater, 2000, 500, 6000, 4200, newWaterHeater},
	{"washing_machine", "Washing machine", smartmeter.Generic, 1950, 500, 3000, 350, newWashingMachine},
	{"tv", "TV", smartmeter.Generic, 96, 20, 500, 280, newTelevision},
	{"lights", "Lights", smartmeter.Lighting, 72, 5, 2000, 220, newLights},
}

// modelOf returns the model that a house file calls so, nil if there is none.
func modelOf(word string) *model {
	for i := range models {
		if models[i].word == word {
			return &models[i]
		}
	}
	return nil
}
