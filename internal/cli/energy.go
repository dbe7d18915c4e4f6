package cli

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Energy is `smartmeter energy`.
type Energy struct {
	Device []string `arg:"" optional:"" help:"Names or ids; all devices and the house if none is given."`
	From   string   `placeholder:"TIME" help:"Begin of the time: a date like 2026-11-01 or an RFC 3339 time; the beginning of today unless told."`
	To     string   `placeholder:"TIME" help:"Its end, which is not part of it; now unless told."`
	Step   string   `default:"whole" enum:"15m,1h,1d,1w,1mo,whole" help:"Width of a line: ${enum}; ${default} unless told."`
	Zone   string   `name:"tz" placeholder:"ZONE" help:"Whose days and months, like Europe/Berlin; the site's unless told, see \"smartmeter zone\"."`
	CSV    bool     `name:"csv" xor:"form" help:"Print lines for a table calculation, in Wh."`
	Hub
}

// Help is what --help shows below the flags.
func (*Energy) Help() string {
	return `What devices used, in kWh. An "unmetered" line is what its device measured and
none of the devices behind it did. Once it is known what a kWh costs ("smartmeter
price"), there is the cost as well. QUALITY says how well a figure is known:
"measured", or what a person should know about it; "absent" is not a zero.
With --csv there are the rooms, too, and OF says what a line is about: device,
unmetered, room or house.

    $ smartmeter energy fridge --from 2026-11-01 --step 1d
    FROM                       NAME     KWH  QUALITY
    2026-11-01T00:00:00+01:00  Fridge  0.913  measured

` + exitHelp
}

// energy is the hub's answer.
type energy struct {
	Currency string `json:"currency"` // "" without prices
	Devices  []struct {
		ID        string        `json:"id"`
		Name      string        `json:"name"`
		Buckets   []energyCount `json:"buckets"`
		Unmetered []energyCount `json:"unmetered"`
	} `json:"devices"`
	Rooms []struct {
		Room    string        `json:"room"`
		Buckets []energyCount `json:"buckets"`
	} `json:"rooms"`
	House *struct {
		Buckets []energyCount `json:"buckets"`
	} `json:"house"`
}

type energyCount struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Wh      int64     `json:"wh"`
	Cost    string    `json:"cost"` // "" if it is not known
	Quality string    `json:"quality"`
	Missing int64     `json:"missing_s"`
}

// Run prints what devices used on env.Stdout.
func (e *Energy) Run(env *Env) error {
	c, err := e.open(env)
	if err != nil {
		return err
	}
	query, err := e.query(env, c)
	if err != nil {
		return err
	}
	used, a, err := c.energy(env, query)
	switch {
	case err != nil:
		return err
	case e.JSON:
		return writeDocument(env.Stdout, a.body)
	case e.CSV:
		return used.writeCSV(env.Stdout)
	}
	return writeTable(env.Stdout, used.columns(), used.rows())
}

// energy asks what devices used; without a query, since the midnight of the site.
func (c *client) energy(env *Env, query url.Values) (used energy, a answer, err error) {
	a, err = c.ask(env.Ctx, patience, http.MethodGet, "/api/v1/energy?"+query.Encode(), nil)
	if err == nil && json.Unmarshal(a.body, &used) != nil {
		err = c.stranger("an answer that tells no energy")
	}
	return used, a, err
}

// whole returns what each device used in all of the time, by its id; those of
// which nothing is known are not there.
func (e *energy) whole() map[string]int64 {
	whole := make(map[string]int64)
	for _, d := range e.Devices {
		for _, b := range d.Buckets {
			if b.Quality != "absent" {
				whole[d.ID] += b.Wh
			}
		}
	}
	return whole
}

// query is the question to the hub, in which devices have their ids.
func (e *Energy) query(env *Env, c *client) (url.Values, error) {
	query := url.Values{"step": {e.Step}}
	for name, value := range map[string]string{"from": e.From, "to": e.To, "tz": e.Zone} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if len(e.Device) == 0 {
		return query, nil
	}
	devices, _, err := c.devices(env.Ctx)
	if err != nil {
		return nil, err
	}
	for _, word := range e.Device {
		d, err := find(devices, word)
		if err != nil {
			return nil, err
		}
		query.Add("device", d.ID)
	}
	return query, nil
}

// columns are those of rows: with the currency's if there are prices.
func (e *energy) columns() []column {
	columns := []column{{head: "FROM"}, {head: "NAME"}, {head: "KWH", right: true}}
	if e.Currency != "" {
		columns = append(columns, column{head: printable(e.Currency), right: true})
	}
	return append(columns, column{head: "QUALITY"})
}

// rows returns bucket after bucket: the devices of each, and the house.
func (e *energy) rows() [][]string {
	var rows [][]string
	add := func(name string, counts []energyCount, i int) {
		if i < len(counts) {
			n := &counts[i]
			row := []string{n.From.Format(time.RFC3339), printable(name), kilowattHours(&n.Wh)}
			if e.Currency != "" {
				row = append(row, printable(cmp.Or(n.Cost, absent)))
			}
			rows = append(rows, append(row, printable(n.Quality)))
		}
	}
	for i := range e.buckets() {
		for _, d := range e.Devices {
			name := cmp.Or(d.Name, d.ID)
			add(name, d.Buckets, i)
			add(name+", unmetered", d.Unmetered, i)
		}
		if e.House != nil {
			add("the house", e.House.Buckets, i)
		}
	}
	return rows
}

func (e *energy) buckets() (most int) {
	for _, d := range e.Devices {
		most = max(most, len(d.Buckets))
	}
	return most
}

// writeCSV writes one line for each bucket of each device, rest, room and of the
// house. Columns of costs come last: who reads the others by their place goes on.
func (e *energy) writeCSV(w io.Writer) error {
	out := newCSV(w)
	heads := []string{"of", "id", "name", "from", "to", "wh", "quality", "missing_s"}
	if e.Currency != "" {
		heads = append(heads, "cost", "currency")
	}
	out.write(heads...)
	add := func(of, id, name string, counts []energyCount) {
		for _, n := range counts {
			line := []string{
				of, cell(id), cell(name), n.From.Format(time.RFC3339), n.To.Format(time.RFC3339),
				strconv.FormatInt(n.Wh, 10), printable(n.Quality), strconv.FormatInt(n.Missing, 10),
			}
			if e.Currency != "" {
				line = append(line, printable(n.Cost), printable(e.Currency))
			}
			out.write(line...)
		}
	}
	for _, d := range e.Devices {
		add("device", d.ID, d.Name, d.Buckets)
		add("unmetered", d.ID, d.Name, d.Unmetered)
	}
	for _, r := range e.Rooms {
		add("room", "", r.Room, r.Buckets)
	}
	if e.House != nil {
		add("house", "", "", e.House.Buckets)
	}
	return out.flush()
}
