package wire

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// valid runs the scanner over one value of any kind.
func valid(p []byte) error {
	d := scan(p)
	d.skip()
	return d.end(0)
}

// depth is how deep valid JSON nests.
func depth(p []byte) int {
	deepest, level := 0, 0
	for dec := json.NewDecoder(bytes.NewReader(p)); ; {
		token, err := dec.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			level++
			deepest = max(deepest, level)
		case json.Delim('}'), json.Delim(']'):
			level--
		}
	}
}

// agree fails unless the scanner and encoding/json say the same of p.
func agree(t interface{ Fatalf(string, ...any) }, p []byte) {
	err := valid(p)
	switch {
	case err == TooLarge || err == NotUTF8: // encoding/json tolerates both
	case err == TooDeep:
		if json.Valid(p) && depth(p) <= MaxDepth {
			t.Fatalf("%q is refused as too deep", p)
		}
	case (err == nil) != json.Valid(p):
		t.Fatalf("%q: %v, but encoding/json says valid=%t", p, err, json.Valid(p))
	}
}

func TestScannerAgreesWithEncodingJSON(t *testing.T) {
	tokens := []string{
		"{", "}", "[", "]", ",", ":", `"a"`, `"b\n\u00e4"`, `"\ud800"`, "1", "-0.5e+3", "0", "-", ".", "e", "E", "+", "true",
		"false", "null", "nul", " ", "\t", "\n", `"`, `\`, "\x01", "ä", "{}", "[]", `{"a":1}`, "[1,2]", "00",
	}
	rapid.Check(t, func(t *rapid.T) {
		agree(t, []byte(strings.Join(rapid.SliceOfN(rapid.SampledFrom(tokens), 0, 12).Draw(t, "tokens"), "")))
	})
	var golden [][]byte
	for _, p := range payloads() {
		golden = append(golden, p.bytes(t))
	}
	rapid.Check(t, func(t *rapid.T) {
		p := bytes.Clone(rapid.SampledFrom(golden).Draw(t, "golden"))
		at := rapid.IntRange(0, len(p)-1).Draw(t, "at")
		if rapid.Bool().Draw(t, "delete") {
			p = slices.Delete(p, at, at+1)
		} else {
			p[at] = rapid.Byte().Draw(t, "byte")
		}
		agree(t, p)
	})
	for _, h := range noJSON {
		agree(t, []byte(h))
	}
}

func TestStringsAgreeWithEncodingJSON(t *testing.T) {
	pieces := []string{
		"a", "ä", "€", "😀", `\n`, `\t`, `\b`, `\f`, `\r`, `\"`, `\\`, `\/`, `\u0041`, `\u00e4`, `\u20AC`, `\ud83d\ude00`,
		`\ud83d`, `\ude00`, `\u0000`, `\uFFFF`, "\x7f", "\ufffd",
	}
	rapid.Check(t, func(t *rapid.T) {
		quoted := `"` + strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 8).Draw(t, "pieces"), "") + `"`
		var want string
		if err := json.Unmarshal([]byte(quoted), &want); err != nil {
			t.Fatal(err)
		}
		d := scan([]byte(quoted))
		if got := d.string(1000); got != want || d.end(0) != nil {
			t.Fatalf("%s is %q, want %q (%v)", quoted, got, want, d.end(0))
		}
		var back string
		if err := json.Unmarshal(appendQuoted(nil, want), &back); err != nil || back != want {
			t.Fatalf("%q comes back as %q (%v)", want, back, err)
		}
	})
}

// scaled is decimal.scale as math/big has it.
func scaled(number string, places int) (v int64, exact bool) {
	r, ok := new(big.Rat).SetString(number)
	if !ok {
		panic("no number: " + number)
	}
	r.Mul(r, new(big.Rat).SetInt64(int64(math.Pow10(places))))
	doubled := new(big.Int).Mul(new(big.Int).Abs(r.Num()), big.NewInt(2))
	doubled.Add(doubled, r.Denom())
	rounded := doubled.Quo(doubled, new(big.Int).Mul(r.Denom(), big.NewInt(2)))
	v = math.MaxInt64
	if rounded.IsInt64() {
		v = rounded.Int64()
	}
	return v * int64(r.Sign()), r.IsInt()
}

func scanned(t interface{ Fatalf(string, ...any) }, number string, places int) (v int64, exact bool) {
	d := scan([]byte(number))
	v, exact = d.number().scale(places)
	if err := d.end(0); err != nil {
		t.Fatalf("%s: %v", number, err)
	}
	return v, exact
}

func TestNumbersAgreeWithMathBig(t *testing.T) {
	number := rapid.StringMatching(`-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?`)
	rapid.Check(t, func(t *rapid.T) {
		s, places := number.Draw(t, "number"), rapid.IntRange(0, 3).Draw(t, "places")
		want, wantExact := scaled(s, places)
		got, exact := scanned(t, s, places)
		if got != want || want != math.MaxInt64 && want != -math.MaxInt64 && exact != wantExact {
			t.Fatalf("%s in steps of 10^-%d: %d (exact %t), want %d (exact %t)", s, places, got, exact, want, wantExact)
		}
	})
}

func TestNumbersAtTheEdges(t *testing.T) {
	zeros, nines := strings.Repeat("0", 8000), strings.Repeat("9", 8000)
	for _, c := range []struct {
		number string
		places int
		want   int64
	}{
		{"0", 1, 0},
		{"-0", 1, 0},
		{"-0.04", 1, 0},
		{"-0.05", 1, -1},
		{"0.05", 1, 1},
		{"0.049999999999999999999", 1, 0},
		{"220.45", 1, 2205},
		{"220.44999", 1, 2204},
		{"1.0005", 3, 1001},
		{"9.5", 0, 10},
		{"-9.5", 0, -10},
		{"0.5", 0, 1},
		{"0.5e-1", 0, 0},
		{"5e-1", 0, 1},
		{"0.00005e5", 0, 5},
		{"2.205e2", 1, 2205},
		{"22050E-2", 1, 2205},
		{"1e+2", 1, 1000},
		{"9223372036854775807", 0, math.MaxInt64},
		{"9223372036854775806", 0, math.MaxInt64 - 1},
		{"9223372036854775808", 0, math.MaxInt64},
		{"-9223372036854775808", 0, -math.MaxInt64},
		{"922337203685477580.65", 1, 9223372036854775807},
		{"922337203685477580.649", 1, 9223372036854775806},
		{"1e308", 1, math.MaxInt64},
		{"-1e308", 1, -math.MaxInt64},
		{"1e-308", 1, 0},
		{"1e999999999999999999999", 1, math.MaxInt64},
		{"0e999999999999999999999", 1, 0},
		{"1e-999999999999999999999", 3, 0},
		{nines, 0, math.MaxInt64},
		{"0." + nines, 2, 100},
		{"1" + zeros + "e-8000", 1, 10},
		{"0." + zeros + "1e8001", 1, 10},
		{"0." + zeros + "1e8000", 1, 1},
	} {
		if got, _ := scanned(t, c.number, c.places); got != c.want {
			t.Errorf("%.40s in steps of 10^-%d: %d, want %d", c.number, c.places, got, c.want)
		}
	}
}

func TestFieldNamesAreSortedAndFound(t *testing.T) {
	if !slices.IsSorted(fieldNames[:]) {
		t.Errorf("fieldNames are not sorted: %q", fieldNames)
	}
	for i, name := range fieldNames {
		if got := fieldOf([]byte(name)); got != 1<<i {
			t.Errorf("fieldOf(%q) = %#x, want %#x", name, got, 1<<i)
		}
		if len(name) > longestWord {
			t.Errorf("%q is longer than longestWord", name)
		}
		for _, other := range []string{name + "x", name[1:], strings.ToUpper(name), name + "\x00"} {
			if fieldOf([]byte(other)) == 1<<i {
				t.Errorf("%q is found as %q", other, name)
			}
		}
	}
	if fieldVoltage != 1<<(len(fieldNames)-1) {
		t.Errorf("there are %d names, but %#x is the last constant's", len(fieldNames), fieldVoltage)
	}
}
