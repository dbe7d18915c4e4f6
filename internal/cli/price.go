package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// Price is `smartmeter price`: what a kWh costs, from which day on.
type Price struct {
	List   PriceList   `cmd:"" default:"withargs" help:"What a kWh costs, and has cost."`
	Set    PriceSet    `cmd:"" help:"Say what a kWh costs from a day on."`
	Remove PriceRemove `cmd:"" help:"Take the price of a day away."`
}

// Help is what --help shows below the commands.
func (*Price) Help() string {
	return `A price holds from the first hour of its day, by the hub's calendar, until the
next one. What was used before the first one has no cost.

    $ smartmeter price set 0.3199 --from 2026-01-01 --currency EUR
    FROM        EUR PER KWH
    2026-01-01       0.3199

` + exitHelp
}

// settings are the hub's, in the API's words.
type settings struct {
	Zone     string      `json:"zone,omitempty"` // "" for that of the hub's machine
	Currency string      `json:"currency"`
	Prices   []priceFrom `json:"prices"`
}

type priceFrom struct {
	From   string `json:"from"`
	PerKWh string `json:"per_kwh"`
}

// settings asks for what people said about the site.
func (c *client) settings(env *Env) (settings, answer, error) {
	var s settings
	a, err := c.ask(env.Ctx, patience, http.MethodGet, "/api/v1/settings", nil)
	if err != nil {
		return s, a, err
	}
	if json.Unmarshal(a.body, &s) != nil {
		return s, a, c.stranger("an answer that tells no prices")
	}
	return s, a, nil
}

// zone returns the zone of the site, or else where the person is.
func (s *settings) zone(env *Env) (*time.Location, error) {
	if s.Zone == "" {
		return env.zone(), nil
	}
	return zoneNamed("the hub's zone", s.Zone)
}

// PriceList is `smartmeter price list`.
type PriceList struct{ Hub }

// Help is what --help shows below the flags.
func (*PriceList) Help() string { return exitHelp }

// Run prints the prices on env.Stdout.
func (l *PriceList) Run(env *Env) error {
	c, err := l.open(env)
	if err != nil {
		return err
	}
	s, a, err := c.settings(env)
	switch {
	case err != nil:
		return err
	case l.JSON:
		return writeDocument(env.Stdout, a.body)
	}
	return s.write(env.Stdout)
}

func (s *settings) write(w io.Writer) error {
	if len(s.Prices) == 0 {
		_, err := fmt.Fprintln(w, "Nobody has said yet what a kWh costs. Say it with `smartmeter price set`.")
		return err
	}
	rows := make([][]string, len(s.Prices))
	for i, p := range s.Prices {
		rows[i] = []string{printable(p.From), printable(p.PerKWh)}
	}
	return writeTable(w, []column{{head: "FROM"}, {head: printable(s.Currency) + " PER KWH", right: true}}, rows)
}

// PriceSet is `smartmeter price set`.
type PriceSet struct {
	PerKWh   string `arg:"" name:"per-kwh" help:"What a kWh costs, like 0.3199."`
	From     string `placeholder:"DATE" help:"First day on which it holds, like 2026-11-01; today unless told."`
	Currency string `placeholder:"CODE" help:"The currency of all prices by ISO 4217, like EUR; needed with the first one."`
	Hub
}

// Help is what --help shows below the flags.
func (*PriceSet) Help() string { return exitHelp }

// Run sets the price of a day, in place of the one that it had.
func (p *PriceSet) Run(env *Env) error {
	c, err := p.open(env)
	if err != nil {
		return err
	}
	s, _, err := c.settings(env)
	if err != nil {
		return err
	}
	switch currency := strings.ToUpper(p.Currency); {
	case currency == "" && s.Currency == "":
		return errorf(smartmeter.Invalid, "--currency: say what is paid in, like EUR")
	case currency != "" && currency != s.Currency && len(s.Prices) > 0:
		return errorf(smartmeter.Invalid, "--currency: the other prices are in %s, and all are in one currency. Take them away first, with `smartmeter price remove`", printable(s.Currency))
	default:
		s.Currency = cmp.Or(currency, s.Currency)
	}
	zone, err := s.zone(env)
	if err != nil {
		return err
	}
	from := cmp.Or(p.From, time.Now().In(zone).Format(time.DateOnly))
	s.Prices = slices.DeleteFunc(s.Prices, func(q priceFrom) bool { return q.From == from })
	i, _ := slices.BinarySearchFunc(s.Prices, from, func(q priceFrom, from string) int { return cmp.Compare(q.From, from) })
	s.Prices = slices.Insert(s.Prices, i, priceFrom{from, p.PerKWh})
	return p.put(env, c, s, fmt.Sprintf("body.prices[%d].per_kwh", i), "PER-KWH", fmt.Sprintf("body.prices[%d].from", i), "--from", "body.currency", "--currency")
}

// PriceRemove is `smartmeter price remove`.
type PriceRemove struct {
	From string `arg:"" help:"The price's FROM; see \"smartmeter price\"."`
	Hub
}

// Help is what --help shows below the flags.
func (*PriceRemove) Help() string {
	return "The price before it then holds for its time, too.\n\n" + exitHelp
}

// Run takes the price of a day away.
func (r *PriceRemove) Run(env *Env) error {
	c, err := r.open(env)
	if err != nil {
		return err
	}
	s, _, err := c.settings(env)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(s.Prices, func(p priceFrom) bool { return p.From == r.From })
	if i < 0 {
		return errorf(smartmeter.NotFound, "no price begins on %q: give the FROM of one that `smartmeter price` shows", r.From)
	}
	s.Prices = slices.Delete(s.Prices, i, i+1)
	return r.put(env, c, s)
}

// put has the hub keep prices, and prints on env.Stdout what it has then. flags
// are the names by which the person gave the fields of the API, in pairs.
func (h *Hub) put(env *Env, c *client, s settings, flags ...string) error {
	s.Zone = "" // it stays as it is
	kept, a, err := c.putSettings(env, s, "the prices may be changed or not. Look with `smartmeter price`")
	switch {
	case err != nil:
		return inFlags(err, flags)
	case h.JSON:
		return writeDocument(env.Stdout, a.body)
	}
	return kept.write(env.Stdout)
}

// putSettings has the hub keep what body says of the site, and returns what it
// has then. unsure is what to say when its answer was lost.
func (c *client) putSettings(env *Env, said any, unsure string) (kept settings, a answer, err error) {
	body, err := json.Marshal(said)
	if err != nil {
		return kept, a, err
	}
	a, err = c.ask(env.Ctx, patience, http.MethodPut, "/api/v1/settings", body)
	if lost, ok := errors.AsType[lostAnswer](err); ok {
		return kept, a, errorf(smartmeter.NoAnswer, "the hub had the request, and then its answer was lost (%v): %s", lost, unsure)
	}
	if err == nil && json.Unmarshal(a.body, &kept) != nil {
		err = c.stranger("an answer that is no settings")
	}
	return kept, a, err
}
