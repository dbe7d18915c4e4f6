package main

import "testing"

// The made-up samples are some that a hub could have heard.
func TestSeries(t *testing.T) {
	for name, s := range map[string]series{"noisy": newNoisyMeter(3, epoch), "plug": newPlugMeter(3, epoch)} {
		t.Run(name, func(t *testing.T) {
			highest, last := s.next(), s.next()
			for range 5000 {
				r := s.next()
				if r.Implausible() != 0 {
					t.Fatalf("implausible: %+v", r)
				}
				if r.Seq != last.Seq+1 || r.At-last.At != tickMillis || r.Energy < last.Energy {
					t.Fatalf("%+v follows %+v", r, last)
				}
				if last = r; r.Power > highest.Power {
					highest = r
				}
			}
			if highest.Power < 500 {
				t.Errorf("at most %d dW were ever used", highest.Power)
			}
		})
	}
}
