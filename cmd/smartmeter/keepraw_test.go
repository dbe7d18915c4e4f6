package main

import (
	"testing"
	"time"
)

func TestKeepRaw(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"730d": 730 * 24 * time.Hour, "35d": 35 * 24 * time.Hour, "36500d": 36_500 * 24 * time.Hour,
		"34d": 0, "0d": 0, "-40d": 0, "40": 0, "40h": 0, "d": 0, "": 0, "36501d": 0, "4e1d": 0,
	} {
		var got keepRaw
		if err := got.UnmarshalText([]byte(text)); time.Duration(got) != want || (err == nil) != (want != 0) {
			t.Errorf("%q gives %v, %v; want %v", text, time.Duration(got), err, want)
		}
	}
}
