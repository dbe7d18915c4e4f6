package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxHouseFile is far more than any house needs, in bytes.
const maxHouseFile = 1 << 20

// ReadHousehold reads a house file: one JSON object with the fields of
// [Household], as in docs/house.example.json. It is strict. Its errors say
// which field is wrong and what to write instead; where a line can be told,
// they begin with it.
func ReadHousehold(r io.Reader) (*Household, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxHouseFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxHouseFile {
		return nil, errors.New("a house file has at most 1 MiB")
	}
	if err := checkKeys(text); err != nil {
		return nil, explain(err, text)
	}
	var h Household
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&h); err != nil {
		return nil, explain(err, text)
	}
	return h.completed()
}

// explain turns what encoding/json says into what a person can act on.
func explain(err error, text []byte) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("line %d: this is not JSON: %w", lineAt(text, syntax.Offset), err)
	}
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		want := map[string]string{"int": "a whole number", "string": "text in quotes", "slice": "a list in [ ]", "struct": "an object in { }"}[mismatch.Type.Kind().String()]
		return fmt.Errorf("line %d: %w", lineAt(text, mismatch.Offset),
			invalid(mismatch.Field, "must be "+want+", not "+mismatch.Value))
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("there is no field %s: a house has main and appliances; main has id, name, room and base_w; "+
			"an appliance has appliance, id, name, room, kind and power_w", field)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("line %d: the file ends too early: a bracket is not closed", lineAt(text, int64(len(text))))
	}
	return err
}

// lineAt returns the line, from 1, that holds a byte.
func lineAt(text []byte, offset int64) int {
	return 1 + bytes.Count(text[:min(int(offset), len(text))], []byte("\n"))
}

// checkKeys refuses what encoding/json lets pass: a field that is there twice,
// and anything after the end.
func checkKeys(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := checkValue(decoder, text); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return fmt.Errorf("line %d: a house file ends with the } of its only object", lineAt(text, decoder.InputOffset()))
	}
	return nil
}

// checkValue reads one value of any kind.
func checkValue(decoder *json.Decoder, text []byte) error {
	token, err := decoder.Token()
	if err != nil || token != json.Delim('{') && token != json.Delim('[') {
		return err
	}
	seen := map[json.Token]bool{}
	for decoder.More() {
		if token == json.Delim('{') {
			key, err := decoder.Token()
			if err != nil {
				return err
			}
			if seen[key] {
				return fmt.Errorf("line %d: the field %q is there twice: remove one", lineAt(text, decoder.InputOffset()), key)
			}
			seen[key] = true
		}
		if err := checkValue(decoder, text); err != nil {
			return err
		}
	}
	_, err = decoder.Token()
	return err
}
