package cli_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// priceHub keeps settings as a hub does, and refuses a status if one is given.
func priceHub(kept string, status int, refusal string) (hub http.Handler, now *string) {
	now = &kept
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/settings", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, *now) })
	mux.HandleFunc("PUT /api/v1/settings", func(w http.ResponseWriter, r *http.Request) {
		if status != 0 {
			w.WriteHeader(status)
			io.WriteString(w, refusal)
			return
		}
		body, _ := io.ReadAll(r.Body)
		*now = string(body)
		w.Write(body)
	})
	return mux, now
}

func TestPrice(t *testing.T) {
	handler, kept := priceHub(`{"currency":"","prices":[]}`, 0, "")
	s, flag := serve(t, handler)
	check(t, s.run(t, "price", flag), result{Stdout: "Nobody has said yet what a kWh costs. Say it with `smartmeter price set`.\n"})
	check(t, s.run(t, "price", "set", "0.3", "--from=2026-01-01", flag), result{Stderr: "--currency: say what is paid in, like EUR", Code: 2})
	check(t, s.run(t, "price", "set", "0.3", "--from=2026-01-01", "--currency=eur", flag), result{Stdout: "FROM        EUR PER KWH\n2026-01-01          0.3\n"})
	s.run(t, "price", "set", "0.35", "--from=2026-07-01", flag)
	s.run(t, "price", "set", "0.25", "--from=2025-07-01", flag)
	s.run(t, "price", "set", "0.31", "--from=2026-01-01", flag) // in place of 0.3
	check(t, s.run(t, "price", flag), result{Stdout: "FROM        EUR PER KWH\n2025-07-01         0.25\n2026-01-01         0.31\n2026-07-01         0.35\n"})
	check(t, s.run(t, "price", "set", "0.25", "--from=2025-07-01", "--currency=CHF", flag), result{Stderr: "--currency: the other prices are in EUR", Code: 2})
	check(t, s.run(t, "price", "remove", "2026-01-01", flag), result{Stdout: "FROM        EUR PER KWH\n2025-07-01         0.25\n2026-07-01         0.35\n"})
	check(t, s.run(t, "price", "remove", "2026-01-01", flag), result{Stderr: `no price begins on "2026-01-01"`, Code: 3})
	if want := `{"currency":"EUR","prices":[{"from":"2025-07-01","per_kwh":"0.25"},{"from":"2026-07-01","per_kwh":"0.35"}]}`; *kept != want {
		t.Errorf("the hub keeps %s", *kept)
	}
	if got := s.run(t, "price", "--json", flag); !strings.Contains(got.Stdout, `"per_kwh": "0.35"`) {
		t.Errorf("--json prints %s", got.Stdout)
	}
}

func TestPriceRefused(t *testing.T) {
	handler, _ := priceHub(`{"currency":"EUR","prices":[{"from":"2025-01-01","per_kwh":"1"}]}`, 422,
		`{"title":"Unprocessable Entity","detail":"must be a decimal like 0.3199","errors":[{"location":"body.prices[1].per_kwh","message":"must be a decimal like 0.3199"}]}`)
	s, flag := serve(t, handler)
	check(t, s.run(t, "price", "set", "0,3", "--from=2026-01-01", flag), result{Stderr: "smartmeter: PER-KWH: must be a decimal like 0.3199\n", Code: 2})
}
