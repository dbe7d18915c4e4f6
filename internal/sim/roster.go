package sim

import (
	"math/rand/v2"

	"github.com/iot-smart-meter/smartmeter"
)

// roster is a household: its devices, with the appliances behind them.
var roster = [...]struct {
	device smartmeter.Device
	build  func(*rand.Rand) Appliance
}{
	{smartmeter.Device{Node: "sim-fridge", Name: "Fridge", Room: "Kitchen", Kind: smartmeter.Compressor}, newFridge},
	{smartmeter.Device{Node: "sim-freezer", Name: "Freezer", Room: "Cellar", Kind: smartmeter.MustStayOn}, newFreezer},
	{smartmeter.Device{Node: "sim-kettle", Name: "Kettle", Room: "Kitchen", Kind: smartmeter.Heater}, newKettle},
	{smartmeter.Device{Node: "sim-aircon", Name: "Air conditioner", Room: "Bedroom", Kind: smartmeter.Compressor}, newAirConditioner},
	{smartmeter.Device{Node: "sim-boiler", Name: "Water heater", Room: "Bathroom", Kind: smartmeter.Heater}, newWaterHeater},
	{smartmeter.Device{Node: "sim-washer", Name: "Washing machine", Room: "Bathroom", Kind: smartmeter.Generic}, newWashingMachine},
	{smartmeter.Device{Node: "sim-tv", Name: "TV", Room: "Living room", Kind: smartmeter.Generic}, newTelevision},
	{smartmeter.Device{Node: "sim-lights", Name: "Lights", Room: "Living room", Kind: smartmeter.Lighting}, newLights},
}
