package display_test

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/iot-smart-meter/smartmeter/internal/display"
)

var update = flag.Bool("update", false, "write the pictures below testdata anew, to be looked at")

// kettle is an ordinary moment that the pictures vary.
func kettle() display.State {
	return display.State{
		Name:            "Kettle",
		PowerDeciwatt:   display.Known(20_431),
		VoltageDecivolt: display.Known(2_302),
		CurrentMilliamp: display.Known(8_875),
		TodayWattHour:   display.Known(3_214),
		Relay:           display.On,
		WiFi:            display.Up,
		Hub:             display.Up,
	}
}

var pictures = []struct {
	name string
	vary func(*display.State)
}{
	{"on", func(*display.State) {}},
	{"off", func(s *display.State) {
		s.Relay, s.PowerDeciwatt, s.CurrentMilliamp = display.Off, display.Known(0), display.Known(0)
	}},
	{"standby", func(s *display.State) { s.PowerDeciwatt, s.CurrentMilliamp = display.Known(47), display.Known(31) }},
	{"largest", func(s *display.State) {
		s.Name = "ESP32-a0b1c2d3e4f5"
		s.PowerDeciwatt, s.CurrentMilliamp = display.Known(230_000), display.Known(99_999)
		s.TodayWattHour = display.Known(9_999_990)
	}},
	{"feeding", func(s *display.State) {
		s.Name, s.PowerDeciwatt, s.Relay = "Balcony", display.Known(-6_182), display.NoRelay
	}},
	{"alldigits", func(s *display.State) { s.Name, s.PowerDeciwatt = "Digits", display.Known(678_900) }},
	{"searching", func(s *display.State) { s.WiFi, s.Hub = display.Up, display.Trying }},
	{"joining", func(s *display.State) { s.WiFi, s.Hub = display.Trying, display.Down }},
	{"starting", func(s *display.State) { *s = display.State{Name: s.Name, Relay: display.Off} }},
	{"silent", func(s *display.State) {
		*s = display.State{Name: s.Name, Relay: display.On, MeterSilent: true, TodayWattHour: s.TodayWattHour, WiFi: s.WiFi, Hub: s.Hub}
	}},
	{"cutoff", func(s *display.State) {
		s.Relay, s.PowerDeciwatt, s.CutOff = display.Off, display.Known(0), "over current 17.2 A"
	}},
	{"pairing", func(s *display.State) { s.Name, s.Pairing = "ESP32-a0b1c2d3e4f5", "482913" }},
	{"longcode", func(s *display.State) { s.Pairing = "K7QM-P2XW" }},
}

func TestPictures(t *testing.T) {
	for _, p := range pictures {
		t.Run(p.name, func(t *testing.T) {
			s := kettle()
			p.vary(&s)
			var got display.Frame
			display.Draw(&got, &s)
			path := filepath.Join("testdata", p.name+".png")
			if *update {
				write(t, path, &got)
			}
			if want := read(t, path); got != want {
				t.Errorf("the picture is not that of %s; run this test with -update and look at it", path)
			}
		})
	}
}

// A picture depends on its state only, not on the one before it.
func TestDrawForgetsThePictureBefore(t *testing.T) {
	s := kettle()
	var fresh, used display.Frame
	display.Draw(&fresh, &s)
	for i := range used {
		used[i] = 0xFF
	}
	display.Draw(&used, &s)
	if fresh != used {
		t.Error("something of the picture before shines through")
	}
}

// What is not known must not look like 0.
func TestUnknownIsNotZero(t *testing.T) {
	for name, forget := range map[string]func(*display.State) *display.Value{
		"power":   func(s *display.State) *display.Value { return &s.PowerDeciwatt },
		"voltage": func(s *display.State) *display.Value { return &s.VoltageDecivolt },
		"current": func(s *display.State) *display.Value { return &s.CurrentMilliamp },
		"energy":  func(s *display.State) *display.Value { return &s.TodayWattHour },
	} {
		t.Run(name, func(t *testing.T) {
			s := kettle()
			var zero, unknown display.Frame
			*forget(&s) = display.Known(0)
			display.Draw(&zero, &s)
			*forget(&s) = display.Value{}
			display.Draw(&unknown, &s)
			if zero == unknown {
				t.Error("unknown looks like 0")
			}
		})
	}
}

func TestDrawAllocatesNothing(t *testing.T) {
	s := kettle()
	var f display.Frame
	if n := testing.AllocsPerRun(100, func() { display.Draw(&f, &s) }); n != 0 {
		t.Errorf("a picture allocates %v times", n)
	}
}

// No state fails, and the header stays whole whatever is below it.
func TestDrawTakesEveryState(t *testing.T) {
	value := rapid.Custom(func(t *rapid.T) display.Value {
		n := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{0, math.MinInt64, math.MaxInt64}))
		return display.Value{N: n.Draw(t, "n"), Known: rapid.Bool().Draw(t, "known")}
	})
	rapid.Check(t, func(t *rapid.T) {
		s := display.State{
			Name:            rapid.String().Draw(t, "name"),
			PowerDeciwatt:   value.Draw(t, "power"),
			VoltageDecivolt: value.Draw(t, "voltage"),
			CurrentMilliamp: value.Draw(t, "current"),
			TodayWattHour:   value.Draw(t, "today"),
			Relay:           display.Relay(rapid.Byte().Draw(t, "relay")),
			WiFi:            display.Link(rapid.Byte().Draw(t, "wifi")),
			Hub:             display.Link(rapid.Byte().Draw(t, "hub")),
			MeterSilent:     rapid.Bool().Draw(t, "silent"),
			CutOff:          rapid.String().Draw(t, "cut off"),
			Pairing:         rapid.String().Draw(t, "pairing"),
		}
		var whole, header display.Frame
		display.Draw(&whole, &s)
		display.Draw(&header, &display.State{Name: s.Name, WiFi: s.WiFi, Hub: s.Hub})
		if !bytes.Equal(whole[:display.Width], header[:display.Width]) {
			t.Fatal("what is below the header reaches into it")
		}
	})
}

func TestAtKnowsNothingOutside(t *testing.T) {
	var f display.Frame
	for i := range f {
		f[i] = 0xFF
	}
	if !f.At(0, 0) || !f.At(display.Width-1, display.Height-1) {
		t.Error("a corner does not shine")
	}
	if f.At(-1, 0) || f.At(0, -1) || f.At(display.Width, 0) || f.At(0, display.Height) {
		t.Error("something shines outside the picture")
	}
}

func BenchmarkDraw(b *testing.B) {
	s := kettle()
	var f display.Frame
	for b.Loop() {
		display.Draw(&f, &s)
	}
}

func write(t *testing.T, path string, f *display.Frame) {
	t.Helper()
	picture := image.NewGray(image.Rect(0, 0, display.Width, display.Height))
	for y := range display.Height {
		for x := range display.Width {
			if f.At(x, y) {
				picture.SetGray(x, y, color.Gray{Y: 0xFF})
			}
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, picture); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// read returns a picture in the order of bytes of the display's chip.
func read(t *testing.T, path string) display.Frame {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var f display.Frame
	for y := range display.Height {
		for x := range display.Width {
			if r, _, _, _ := picture.At(x, y).RGBA(); r > 0x7FFF {
				f[y/8*display.Width+x] |= 1 << (y % 8)
			}
		}
	}
	return f
}
