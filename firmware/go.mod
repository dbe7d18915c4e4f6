module github.com/iot-smart-meter/smartmeter/firmware

go 1.26.8

require (
	github.com/iot-smart-meter/smartmeter v0.0.0
	github.com/soypat/natiu-mqtt v0.6.0
	tinygo.org/x/drivers v0.37.0
	tinygo.org/x/espradio v0.5.0
)

replace github.com/iot-smart-meter/smartmeter => ../
