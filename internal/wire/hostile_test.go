package wire

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// noJSON are values that RFC 8259 does not know, whoever may print them.
var noJSON = []string{
	"", " ", "NaN", "nan", "-nan", "Infinity", "inf", "-inf", "-Infinity", "+1", "-", "01", "-01", "1_0", "0x10",
	"1.", ".5", "1e", "1e+", "1e5.5", "1.2.3", "1,5", "٣", "1٣", "１", "1f", "0b1", "'1'", "`1`", "True", "nil",
	"undefined", "tru", "nul", `"`, `"\x"`, `"\u12"`, `"\u12G4"`, "\"\t\"", "\"\x00\"", "[", "]", "[1,]", "[,1]", "[1 2]",
	"{", "}", "{,}", `{"a"}`, `{"a":}`, `{"a":1,}`, `{a:1}`, `{1:1}`, `{"a":1 "b":2}`, "//1", "/**/1", "\ufeff1", "\xff",
	"\"\xff\"", "\"\xed\xa0\x80\"", "\u00a01", "1\x00", "[[[[[", strings.Repeat("9", 64<<10), "[[[[[[[[1]]]]]]]]",
}

func TestHostilePayloadsAreRefused(t *testing.T) {
	hostile := append([]string{
		"null", "true", "[]x", `"x"`, "-1", "1e308", "-1e308", "[[]]", `{"a":[[[[1]]]]}`, "\xff\xfe", "[1]", `["a"]`,
		strings.Repeat("9", 16000), strings.Repeat("[", 16000), strings.Repeat(" ", MaxPayload+1),
		strings.Repeat(`{"a":`, 3000), "ONLINE", "RELAY_TOGGLE", "RELAY_ON\n", "\x00",
	}, noJSON...)
	for _, p := range payloads() {
		for _, h := range hostile {
			_, err := p.decode([]byte(h))
			if _, ok := err.(Reason); !ok {
				t.Errorf("%s: decoding %.60q gave %v, want a Reason", p.file, h, err)
			}
		}
	}
}

func TestTruncatedAndTrailingPayloadsAreRefused(t *testing.T) {
	for _, p := range payloads() {
		golden := p.bytes(t)
		if p.isJSON() {
			for n := range golden {
				if _, err := p.decode(golden[:n]); err == nil {
					t.Errorf("%s: decoded when cut to %q", p.file, golden[:n])
				}
			}
		}
		for _, rest := range []string{"x", "}", "{}", ",", "\x00", " 1", `"`} {
			if _, err := p.decode(append(bytes.Clone(golden), rest...)); err == nil {
				t.Errorf("%s: decoded with %q behind it", p.file, rest)
			}
		}
	}
}

// fieldsOf splits a JSON object into its fields.
func fieldsOf(t *testing.T, object []byte) map[string]json.RawMessage {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(object, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// objects are the payloads that are one object.
func objects(t *testing.T) map[string]payload {
	t.Helper()
	m := make(map[string]payload)
	for _, p := range payloads() {
		if b := p.bytes(t); p.isJSON() && b[0] == '{' {
			m[string(b)] = p
		}
	}
	return m
}

// with returns the object with a field's value replaced.
func with(object, name string, old json.RawMessage, value string) []byte {
	return []byte(strings.Replace(object, `"`+name+`":`+string(old), `"`+name+`":`+value, 1))
}

func TestEveryFieldRefusesWhatIsNoJSON(t *testing.T) {
	for object, p := range objects(t) {
		for name, value := range fieldsOf(t, []byte(object)) {
			for _, h := range noJSON {
				if _, err := p.decode(with(object, name, value, h)); err == nil {
					t.Errorf("%s: decoded with %q in %q", p.file, h, name)
				}
			}
		}
	}
}

func TestEveryFieldRefusesOtherTypes(t *testing.T) {
	values := map[byte]string{'"': `"text"`, '{': `{}`, '[': `[]`, 't': `true`, '1': `1`}
	kind := func(b byte) byte {
		if b == '-' || isDigit(b) {
			return '1'
		}
		if b == 'f' {
			return 't'
		}
		return b
	}
	for object, p := range objects(t) {
		for name, value := range fieldsOf(t, []byte(object)) {
			for k, other := range values {
				if k == kind(value[0]) {
					continue
				}
				if _, err := p.decode(with(object, name, value, other)); err != WrongType {
					t.Errorf("%s: with %s in %q: %v, want wrong_type", p.file, other, name, err)
				}
			}
		}
	}
}

func TestUnknownFieldsAreSkippedButMustBeJSON(t *testing.T) {
	for object, p := range objects(t) {
		for _, extra := range []string{`1e999`, `"\ud83d\ude00 {"`, `[[],[{}],null,true,false]`, `{"a":{"b":[1]}}`, `-0.0E-7`} {
			got, err := p.decode([]byte(object[:len(object)-1] + ` , "later" : ` + extra + "\r\n\t}"))
			if diff := cmp.Diff(p.want, got); err != nil || diff != "" {
				t.Errorf("%s: with an unknown %s: %v\n%s", p.file, extra, err, diff)
			}
		}
		for _, h := range noJSON {
			if _, err := p.decode([]byte(`{"later":` + h + "," + object[1:])); err == nil {
				t.Errorf("%s: decoded with an unknown %.60q", p.file, h)
			}
		}
	}
}

func TestDuplicateFieldsAreRefused(t *testing.T) {
	for object, p := range objects(t) {
		for name, value := range fieldsOf(t, []byte(object)) {
			escaped := `\u00` + string(hexDigits[name[0]>>4]) + string(hexDigits[name[0]&0xF]) + name[1:]
			for _, again := range []string{name, escaped} {
				double := object[:len(object)-1] + `,"` + again + `":` + string(value) + "}"
				if _, err := p.decode([]byte(double)); err != DuplicateField {
					t.Errorf("%s: %s: %v, want duplicate_field", p.file, double, err)
				}
			}
		}
	}
	if _, err := DecodeAck([]byte(`{"x":1,"x":2,"boot":"00000001","seq":1,"state":1,"state":2}`)); err != nil {
		t.Errorf("an unknown field twice: %v, want no error", err)
	}
}

func TestNullIsAbsent(t *testing.T) {
	for object, p := range objects(t) {
		for name, value := range fieldsOf(t, []byte(object)) {
			null, errNull := p.decode(with(object, name, value, "null"))
			other := strings.Replace(object, `"`+name+`":`+string(value), `"unheard_of":0`, 1)
			absent, errAbsent := p.decode([]byte(other))
			if errNull != errAbsent {
				t.Errorf("%s: null %q gives %v, absent %v", p.file, name, errNull, errAbsent)
			}
			if diff := cmp.Diff(absent, null); diff != "" {
				t.Errorf("%s: null %q is not as if absent:\n%s", p.file, name, diff)
			}
		}
	}
}

func TestDepthAndSizeLimits(t *testing.T) {
	nested := func(levels int) []byte {
		inner := strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1)
		return []byte(`{"boot":"00000001","seq":1,"x":` + inner + `}`)
	}
	if _, err := DecodeAck(nested(MaxDepth)); err != nil {
		t.Errorf("%d levels: %v", MaxDepth, err)
	}
	if _, err := DecodeAck(nested(MaxDepth + 1)); err != TooDeep {
		t.Errorf("%d levels: %v, want too_deep", MaxDepth+1, err)
	}
	sized := func(n int) []byte {
		return append([]byte(`{"boot":"00000001","seq":1}`), bytes.Repeat([]byte{' '}, n-27)...)
	}
	if _, err := DecodeAck(sized(MaxPayload)); err != nil {
		t.Errorf("%d bytes: %v", MaxPayload, err)
	}
	if _, err := DecodeAck(sized(MaxPayload + 1)); err != TooLarge {
		t.Errorf("%d bytes: %v, want too_large", MaxPayload+1, err)
	}
}
