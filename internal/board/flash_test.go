package board

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/iot-smart-meter/smartmeter/internal/node"
)

var _ node.Settings = (*Settings)(nil)

const blockLen = 512

var errPower = errors.New("the power is gone")

// chip is flash whose power goes after so many bytes were written or erased.
type chip struct {
	memory [4 * blockLen]byte
	left   int
	worn   bool // keeps nothing of what is written
}

func newChip() *chip {
	c := &chip{left: 1 << 30}
	for i := range c.memory {
		c.memory[i] = 0xFF
	}
	return c
}

func (c *chip) ReadAt(p []byte, at int64) (int, error) { return copy(p, c.memory[at:]), nil }
func (c *chip) EraseBlockSize() int64                  { return blockLen }

func (c *chip) WriteAt(p []byte, at int64) (int, error) {
	if len(p)%4 != 0 {
		return 0, errors.New("written in words of 4 bytes")
	}
	for i, b := range p {
		if c.left == 0 {
			c.memory[int(at)+i] &= b | 0x55 // some bits of the last byte
			return i, errPower
		}
		c.left--
		if !c.worn {
			c.memory[int(at)+i] &= b // flash is only ever cleared
		}
	}
	return len(p), nil
}

func (c *chip) EraseBlocks(start, count int64) error {
	for i := start * blockLen; i < (start+count)*blockLen; i++ {
		if c.left == 0 {
			return errPower
		}
		c.left--
		c.memory[i] = 0xFF
	}
	return nil
}

// boot is the next one: the power is back.
func (c *chip) boot(t tester) *Settings {
	c.left = 1 << 30
	s, err := OpenSettings(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type tester interface{ Fatal(...any) }

func load(t tester, s *Settings, name string) string {
	value, err := s.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(value)
}

// TestPowerCutAtEveryByte cuts the power at every byte of a save, of one after
// it, and of a reset to factory settings.
func TestPowerCutAtEveryByte(t *testing.T) {
	for name, change := range map[string]func(*Settings) error{
		"a save":  func(s *Settings) error { return s.Save("config", bytes.Repeat([]byte("new "), 20)) },
		"another": func(s *Settings) error { return s.Save("wifi", []byte("home")) },
		"a reset": (*Settings).Erase,
	} {
		t.Run(name, func(t *testing.T) {
			for cut := 0; ; cut++ {
				c := newChip()
				s := c.boot(t)
				for _, value := range []string{"oldest", "old"} {
					if err := s.Save("config", []byte(value)); err != nil {
						t.Fatal(err)
					}
				}
				before := [2]string{load(t, s, "config"), load(t, s, "wifi")}
				c.left = cut
				err := change(s)
				after := c.boot(t)
				got := [2]string{load(t, after, "config"), load(t, after, "wifi")}
				switch {
				case err == nil:
					if got != [2]string{load(t, s, "config"), load(t, s, "wifi")} {
						t.Fatalf("cut after %d bytes: kept %q, and it was done", cut, got)
					}
					return
				case got != before && got != [2]string{load(t, changed(t, change), "config"), load(t, changed(t, change), "wifi")}:
					t.Fatalf("cut after %d bytes: %q is neither old nor new", cut, got)
				}
				if err := after.Save("config", []byte("later")); err != nil || load(t, c.boot(t), "config") != "later" {
					t.Fatalf("cut after %d bytes: nothing can be saved any more: %v", cut, err)
				}
			}
		})
	}
}

// changed returns settings of which the power was never cut.
func changed(t tester, change func(*Settings) error) *Settings {
	s := newChip().boot(t)
	if err := errors.Join(s.Save("config", []byte("old")), change(s)); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSettingsAgainstAMap saves at random, with power cuts in between.
func TestSettingsAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newChip()
		s, model := c.boot(t), map[string]string{}
		for range 40 {
			name := rapid.SampledFrom([]string{"config", "relay", "cutoff", "wifi"}).Draw(t, "name")
			value := rapid.StringN(0, 30, 60).Draw(t, "value")
			if rapid.Bool().Draw(t, "cut") {
				c.left = rapid.IntRange(0, 1200).Draw(t, "after")
			}
			err := s.Save(name, []byte(value))
			s = c.boot(t)
			if got := load(t, s, name); err == nil || got == value {
				model[name] = got
				if got != value {
					t.Fatalf("saved %q and kept %q", value, got)
				}
			}
			for name, want := range model {
				if got := load(t, s, name); got != want {
					t.Fatalf("%s is %q, want %q", name, got, want)
				}
			}
		}
	})
}

// What is in the flash of a new board, or of one that ran something else, counts
// as nothing.
func TestSettingsOfAStranger(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newChip()
		copy(c.memory[:], rapid.SliceOfN(rapid.Byte(), 0, 2*blockLen).Draw(t, "memory"))
		if rapid.Bool().Draw(t, "marked") {
			copy(c.memory[:], imageMark)
		}
		s := c.boot(t)
		if got := load(t, s, "config"); got != "" {
			t.Fatalf("read %q", got)
		}
		if err := s.Save("config", []byte("mine")); err != nil || load(t, c.boot(t), "config") != "mine" {
			t.Fatal(err)
		}
	})
}

func TestSettingsThatCannotBeKept(t *testing.T) {
	c := newChip()
	s := c.boot(t)
	if err := s.Save("config", []byte("old")); err != nil {
		t.Fatal(err)
	}
	if err := s.Save("wifi", make([]byte, blockLen)); !errors.Is(err, errFull) {
		t.Errorf("too much: %v", err)
	}
	if err := s.Save("", nil); !errors.Is(err, errBadName) {
		t.Errorf("no name: %v", err)
	}
	c.worn = true
	if err := s.Save("config", []byte("new")); err == nil {
		t.Error("a worn block was believed")
	}
	if got := load(t, c.boot(t), "config"); got != "old" {
		t.Errorf("kept %q, want the old one", got)
	}
}

// The generation wraps around after 4 billion saves, or in a hostile flash.
func TestGenerationWrapsAround(t *testing.T) {
	c := newChip()
	s := c.boot(t)
	s.generation = 1<<32 - 2
	for _, value := range []string{"a", "b", "c", "d"} {
		if err := s.Save("config", []byte(value)); err != nil || load(t, c.boot(t), "config") != value {
			t.Fatalf("%q was not kept: %v", value, err)
		}
	}
}
