package sim

import "math/rand/v2"

// kettle boils water now and then.
type kettle struct {
	rated milliwatt
	// left is the energy still to be put into the water, in milliwatt-seconds. It
	// waits where the power is off: the switch stays down.
	left milliwatt
	on   bool
}

// perMillilitre is what brings a millilitre of water from the tap to the boil,
// in milliwatt-seconds, with what the kettle itself takes.
const perMillilitre = 370_000

func newKettle(rated milliwatt, _ *rand.Rand) appliance { return &kettle{rated: rated} }

// plan makes coffee and tea.
func (k *kettle) plan(d *day, r *rand.Rand) []use {
	var uses []use
	boil := func(t int64, percent int) {
		if r.IntN(100) < percent && d.isUp(t) {
			uses = append(uses, use{t, 500 + 100*r.IntN(10)})
		}
	}
	boil(d.breakfast-around(r, 6, 5), 96)
	boil(d.breakfast+around(r, 11, 5), 50)
	boil(d.time(10, 40)+around(r, 0, 25), 70)
	boil(d.time(13, 30)+around(r, 0, 20), 40)
	boil(d.time(15, 50)+around(r, 0, 35), 75)
	boil(d.nextUp(d.time(17, 30))+around(r, 12, 10), 45)
	boil(d.time(20, 40)+around(r, 0, 45), 65)
	return uses
}

func (k *kettle) use(millilitres int) { k.left = perMillilitre * milliwatt(millilitres) }

func (k *kettle) pass(now *moment) {
	if k.on = now.powered && k.left > 0; k.on {
		k.left -= k.rated
	}
}

func (k *kettle) load(now *moment) load {
	if !k.on {
		return load{}
	}
	return resistive(k.rated, now.voltage)
}
