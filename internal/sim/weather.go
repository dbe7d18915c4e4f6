package sim

// microkelvin is a temperature in millionths of a degree Celsius, or a
// difference of two.
type microkelvin int64

const degree microkelvin = 1_000_000

// The weather of central Europe, in tenths of a degree: the mean of a month,
// how far a day goes above and below it, and how far a warm or cold day is
// from the mean.
var (
	meanTemperature = seasonal{20, 30, 70, 110, 160, 195, 215, 210, 165, 110, 60, 30}
	halfRange       = seasonal{30, 35, 45, 55, 60, 65, 70, 65, 55, 45, 30, 25}
)

const straying = 45

// ofTheDay is the course of a day, hour by hour, in percent of its half range.
var ofTheDay = [25]int64{
	-55, -65, -75, -85, -95, -100, -98, -85, -60, -30, 5, 40, 68, 88, 98, 100, 92, 75, 50, 22, -2, -20, -35, -46, -55,
}

// weather is the temperature outside on a day that begins and ends at
// midnight.
type weather struct{ mean, nextMean, halfRange int64 }

func weatherOn(key uint64, d date) weather {
	return weather{
		mean:      meanOn(key, d),
		nextMean:  meanOn(key, d.next(1)),
		halfRange: int64(halfRange.on(d)),
	}
}

// meanOn returns the mean around a midnight. Two days in a row have something
// in common.
func meanOn(key uint64, d date) int64 {
	n := d.number()
	return int64(meanTemperature.on(d)) + (within(at(key, n), straying)+within(at(key, n-1), straying))*2/3
}

// outside returns the temperature at so many seconds after midnight.
func (w *weather) outside(ofDay int) microkelvin {
	past := int64(ofDay)
	mean := w.mean*1000 + (w.nextMean-w.mean)*1000*past/secondsADay
	from, to := ofTheDay[past/hour], ofTheDay[past/hour+1]
	course := from*hour + (to-from)*(past%hour)
	return microkelvin(mean+w.halfRange*10*course/hour) * (degree / 10_000)
}

// When the sun rises and sets, in minutes after midnight on the clocks of
// central Europe.
var (
	sunrise = seasonal{490, 450, 395, 385, 330, 305, 320, 365, 410, 455, 445, 485}
	sunset  = seasonal{995, 1045, 1100, 1205, 1250, 1290, 1280, 1230, 1165, 1095, 995, 975}
)
