package ledger_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
)

func flow(imported smartmeter.WattHour) ledger.Flow {
	return ledger.Flow{Import: smartmeter.EnergyBucket{From: 1, To: 2, Energy: imported, Quality: smartmeter.EnergyMeasured}}
}

func directed(imported, exported smartmeter.WattHour) ledger.Flow {
	f := flow(imported)
	f.Export = &smartmeter.EnergyBucket{From: 1, To: 2, Energy: exported, Quality: smartmeter.EnergyMeasured}
	return f
}

func TestUnmetered(t *testing.T) {
	partial := flow(300)
	partial.Import.Missing, partial.Import.Quality = 900_000, smartmeter.EnergyInterpolated
	measured := smartmeter.EnergyMeasured
	tests := []struct {
		name     string
		parent   ledger.Flow
		children []ledger.Flow
		want     ledger.Rest
	}{
		{"nothing below it", flow(1000), nil, ledger.Rest{Energy: 1000, Within: 5 + 10, Quality: measured, Complete: true}},
		{"children", flow(1000), []ledger.Flow{flow(300), flow(201)}, ledger.Rest{Energy: 499, Within: 5 + 2 + 2 + 30, Quality: measured, Complete: true}},
		{"meters that disagree", flow(1000), []ledger.Flow{flow(1004)}, ledger.Rest{Energy: -4, Within: 5 + 6 + 20, Quality: measured, Complete: true}},
		{"a child with a hole", flow(1000), []ledger.Flow{partial}, ledger.Rest{Energy: 700, Within: 5 + 2 + 20, Quality: measured | smartmeter.EnergyInterpolated}},
		{"solar power", directed(1000, 4000), []ledger.Flow{directed(0, 5000), directed(1500, 0)}, ledger.Rest{
			Energy: 1000 - 4000 + 5000 - 1500, Within: 5 + 20 + 25 + 8 + 60, Quality: measured, Complete: true, Directed: true,
		}},
		{"a plug below a directed meter", directed(1000, 4000), []ledger.Flow{flow(500)}, ledger.Rest{Energy: -3500, Within: 5 + 20 + 3 + 30, Quality: measured, Complete: true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.want.From, test.want.To = 1, 2
			wantSame(t, "rest", ledger.Unmetered(test.parent, test.children...), test.want)
		})
	}
}

func TestAbsentExportIsNotZero(t *testing.T) {
	if net, known := flow(5).Net(); net != 5 || known {
		t.Errorf("without an export register: %d, %t", net, known)
	}
	if net, known := directed(5, 0).Net(); net != 5 || !known {
		t.Errorf("with one at 0: %d, %t", net, known)
	}
}

func TestChildrenAndRestMakeTheParent(t *testing.T) {
	anyFlow := rapid.Custom(func(t *rapid.T) ledger.Flow {
		imported := smartmeter.WattHour(rapid.Int64Range(0, 1_000_000).Draw(t, "imported"))
		if rapid.Bool().Draw(t, "one way") {
			return flow(imported)
		}
		return directed(imported, smartmeter.WattHour(rapid.Int64Range(0, 1_000_000).Draw(t, "exported")))
	})
	rapid.Check(t, func(t *rapid.T) {
		parent := anyFlow.Draw(t, "parent")
		children := rapid.SliceOfN(anyFlow, 0, 10).Draw(t, "children")
		sum := ledger.Unmetered(parent, children...).Energy
		for _, c := range children {
			net, _ := c.Net()
			sum += net
		}
		if net, _ := parent.Net(); sum != net {
			t.Errorf("children and rest are %d Wh, the parent %d", sum, net)
		}
	})
}

// A channel's energy goes to the devices that it had, and all of it does.
func TestDevicesShareAChannel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := livingWorld(t)
		sums := settleAll(foldAll(w.all()), w.journal)
		from, to := sums[0].Day.Start(), (sums[len(sums)-1].Day + 1).Start()
		swap := smartmeter.Instant(rapid.Int64Range(int64(from), int64(to)).Draw(t, "swap"))
		var got smartmeter.WattHour
		for _, bound := range [][2]smartmeter.Instant{{-ledger.Forever, swap}, {swap, ledger.Forever}} {
			c, err := ledger.NewComposer(from, to, ledger.StepDay, zone(t, "Europe/Berlin"))
			if err != nil {
				t.Fatal(err)
			}
			for i := range sums {
				c.AddBetween(&sums[i], bound[0], bound[1])
			}
			for _, b := range c.Buckets() {
				got += b.Energy
			}
		}
		if want := total(sums); got != want {
			t.Errorf("two devices have %d Wh of a channel's %d", got, want)
		}
	})
}
