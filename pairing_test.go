package smartmeter_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/iot-smart-meter/smartmeter"
)

const codeDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

func drawCode(t *rapid.T) (c smartmeter.PairingCode) {
	copy(c.Secret[:], rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(t, "secret"))
	copy(c.Authority[:], rapid.SliceOfN(rapid.Byte(), 11, 11).Draw(t, "authority"))
	return c
}

func TestPairingCodesAreReadAsTheyAreShown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := drawCode(t)
		shown := code.String()
		if len(shown) != 41 || strings.Count(shown, "-") != 6 {
			t.Fatalf("%q", shown)
		}
		typed := strings.NewReplacer("0", "o", "1", rapid.SampledFrom([]string{"l", "I"}).Draw(t, "one"), "-", " ").Replace(strings.ToLower(shown))
		for _, s := range []string{shown, typed, strings.ReplaceAll(shown, "-", "")} {
			if got, err := smartmeter.ParsePairingCode(s); err != nil || got != code {
				t.Fatalf("%q is read as %v, %v", s, got, err)
			}
		}
	})
}

// TestPairingCodesNameTheGroupWithTheMistake makes every mistake of one digit,
// and every one of two that changed places.
func TestPairingCodesNameTheGroupWithTheMistake(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 20 {
		var code smartmeter.PairingCode
		for i := range code.Secret {
			code.Secret[i] = byte(random.Uint32())
		}
		for i := range code.Authority {
			code.Authority[i] = byte(random.Uint32())
		}
		right := strings.ReplaceAll(code.String(), "-", "")
		for i := range right {
			for _, digit := range codeDigits {
				if byte(digit) != right[i] {
					mustBlame(t, right[:i]+string(digit)+right[i+1:], i/5)
				}
			}
			for j := i + 1; j < len(right) && j/5 == i/5; j++ {
				if right[i] != right[j] {
					swapped := []byte(right)
					swapped[i], swapped[j] = swapped[j], swapped[i]
					mustBlame(t, string(swapped), i/5)
				}
			}
		}
	}
}

func mustBlame(t *testing.T, typed string, group int) {
	t.Helper()
	_, err := smartmeter.ParsePairingCode(typed)
	if want := "group " + string(rune('1'+group)); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%q: %v, want %s", typed, err, want)
	}
}

func TestWhatIsNoPairingCodeIsRefused(t *testing.T) {
	code := smartmeter.PairingCode{Secret: [6]byte{1}}.String()
	swapped := code[6:12] + code[:6] + code[12:] // two groups changed places
	for _, s := range []string{"", "-", code[1:], code + "0", code[:40] + "!", code[:40] + "U", swapped, strings.Repeat("0", 1<<16)} {
		if got, err := smartmeter.ParsePairingCode(s); err == nil {
			t.Errorf("%.50q is read as %v", s, got)
		}
	}
	if user := (smartmeter.PairingCode{Secret: [6]byte{0xab, 1}}).User(); user != "pair-ab0100000000" || !smartmeter.IsPairing(user) || smartmeter.IsPairing("lamp") {
		t.Errorf("%q", user)
	}
}
