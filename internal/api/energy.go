package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/access"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
)

// EnergyRange is the time and the buckets of a question about energy. It is
// exported because huma fills in embedded structs only when they are.
type EnergyRange struct {
	From string `query:"from" doc:"first instant, included, taken down to a quarter hour: RFC 3339, or a date of the zone; the beginning of today if absent" example:"2026-11-01"`
	To   string `query:"to" doc:"last instant, excluded, as from; the end of this quarter hour if absent" example:"2026-12-01"`
	Step string `query:"step" enum:"15m,1h,1d,1w,1mo,whole" default:"whole" doc:"width of the buckets, by the zone's clock and calendar; weeks begin on Monday; whole: one for all"`
	Zone string `query:"tz" maxLength:"64" doc:"IANA time zone; the site's if absent, see /api/v1/settings" example:"Europe/Berlin"`
}

const quarter = 15 * time.Minute

// energyQuery reads the range of a question that is asked now.
func (a *api) energyQuery(ctx context.Context, in *EnergyRange) (hub.EnergyQuery, error) {
	zone, err := a.zone(ctx, in.Zone)
	if err != nil {
		return hub.EnergyQuery{}, err
	}
	now := time.Now()
	year, month, day := now.In(zone).Date()
	from, to := time.Date(year, month, day, 0, 0, 0, 0, zone), now.Truncate(quarter).Add(quarter)
	if from, err = instant("query.from", in.From, zone, from); err != nil {
		return hub.EnergyQuery{}, err
	}
	if to, err = instant("query.to", in.To, zone, to); err != nil {
		return hub.EnergyQuery{}, err
	}
	return hub.EnergyQuery{From: smartmeter.InstantOf(from), To: smartmeter.InstantOf(to), Step: hub.EnergySteps[in.Step], Zone: zone}, nil
}

// zone returns the zone of a name, the site's of none.
func (a *api) zone(ctx context.Context, name string) (*time.Location, error) {
	if name == "" {
		return a.hub.Zone(ctx)
	}
	zone, err := hub.ParseZone(name)
	if err != nil {
		return nil, smartmeter.NewError(smartmeter.Invalid, "query.tz", err.Error())
	}
	return zone, nil
}

// instant reads a time or a date; absent is what nothing means.
func instant(field, s string, zone *time.Location, absent time.Time) (time.Time, error) {
	if s == "" {
		return absent, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	t, err := time.ParseInLocation(time.DateOnly, s, zone)
	if err != nil {
		return t, smartmeter.NewError(smartmeter.Invalid, field, "must be a time like 2026-11-01T08:00:00+01:00 or a date like 2026-11-01")
	}
	return t, nil
}

type energyRequest struct {
	EnergyRange
	Device []string `query:"device,explode" maxItems:"1000" doc:"ids of devices, the parameter once for each; all devices, rooms and the house if absent"`
}

type energyAnswer struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	Step string    `json:"step"`
	Zone string    `json:"tz" doc:"Local is that of the hub's machine"`
	// Currency and all costs are absent while nobody has said what energy costs.
	Currency string         `json:"currency,omitempty" doc:"of all costs, by ISO 4217; absent while there are no prices"`
	Devices  []deviceEnergy `json:"devices"`
	Rooms    []roomEnergy   `json:"rooms,omitempty" doc:"the devices of a room, without those whose parent is in it; if all devices were asked for"`
	House    *EnergySum     `json:"house,omitempty" doc:"the devices without a parent; if all devices were asked for"`
}

// EnergySum is energy in buckets. It is exported as DevicePath is.
type EnergySum struct {
	Wh      int64          `json:"wh" doc:"sum of the buckets"`
	Cost    string         `json:"cost,omitempty" doc:"of all buckets, exact and then rounded once to what the currency is paid in, half away from zero: so it may differ from the sum of what the buckets cost, rounded each on its own. Absent where there was no price for all of the time" example:"12.34"`
	Buckets []energyBucket `json:"buckets"`
}

type deviceEnergy struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Room   string `json:"room"`
	Parent string `json:"parent"`
	EnergySum
	Unmetered []unmetered `json:"unmetered,omitempty" doc:"what the device measured and none of its children did"`
}

type roomEnergy struct {
	Room string `json:"room"`
	EnergySum
}

type energyBucket struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Wh      int64     `json:"wh"`
	Cost    string    `json:"cost,omitempty" doc:"at the prices of the time"`
	Quality string    `json:"quality" enum:"measured,interpolated,reset-boundary,corrected,quarantined,absent" doc:"the worst of all that contributed; absent: nothing is known, which is not 0 Wh"`
	Missing int64     `json:"missing_s" doc:"for how many seconds nothing is known"`
}

type unmetered struct {
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Wh       int64     `json:"wh" doc:"below 0 where meters disagree"`
	Cost     string    `json:"cost,omitempty"`
	Within   int64     `json:"within_wh" doc:"how far wh may be from the truth if all meters keep their class"`
	Quality  string    `json:"quality"`
	Complete bool      `json:"complete" doc:"nothing is missing of the device or its children"`
}

func (a *api) energy(ctx context.Context, in *energyRequest) (*body[energyAnswer], error) {
	q, err := a.energyQuery(ctx, &in.EnergyRange)
	if err != nil {
		return nil, a.fail(err)
	}
	for _, id := range in.Device {
		q.Devices = append(q.Devices, smartmeter.DeviceID(id))
	}
	something, err := a.confine(ctx, &q)
	if err != nil {
		return nil, a.fail(err)
	}
	if !something {
		return &body[energyAnswer]{showEnergy(hub.EnergyAnswer{}, q, in.Step)}, nil
	}
	used, err := a.hub.Energy(ctx, q)
	if err != nil {
		return nil, a.fail(err)
	}
	return &body[energyAnswer]{showEnergy(used, q, in.Step)}, nil
}

// confine leaves of a question what who asks may see; who sees all, sees rooms
// and the house, too. If nothing is left, there is nothing to ask the hub: no
// devices would mean all of them.
func (a *api) confine(ctx context.Context, q *hub.EnergyQuery) (something bool, err error) {
	who := whoAsks(ctx)
	if who.May(access.SeeSite) {
		return true, nil
	}
	for _, id := range q.Devices {
		if d, err := a.hub.Device(id); err != nil || !who.Sees(d.Room) {
			return false, a.noSuchDevice()
		}
	}
	if len(q.Devices) == 0 {
		for _, d := range a.visible(ctx) {
			q.Devices = append(q.Devices, d.ID)
		}
	}
	return len(q.Devices) > 0, nil
}

type deviceEnergyRequest struct {
	DevicePath
	EnergyRange
}

type oneEnergy struct {
	EnergySum
	Currency string `json:"currency,omitempty" doc:"of the costs; absent while there are no prices"`
}

func (a *api) deviceEnergy(ctx context.Context, in *deviceEnergyRequest) (*body[oneEnergy], error) {
	q, err := a.energyQuery(ctx, &in.EnergyRange)
	if err != nil {
		return nil, a.fail(err)
	}
	q.Devices = []smartmeter.DeviceID{smartmeter.DeviceID(in.ID)}
	used, err := a.hub.Energy(ctx, q)
	if err != nil {
		return nil, a.fail(err)
	}
	show := showing(used, q)
	return &body[oneEnergy]{oneEnergy{show.sum(used.Devices[0].Buckets, used.Devices[0].Costs), show.currency}}, nil
}

// energyShower puts energy into the words of the API.
type energyShower struct {
	zone     *time.Location
	currency string
	decimals int
}

func showing(used hub.EnergyAnswer, q hub.EnergyQuery) energyShower {
	show := energyShower{zone: q.Zone, decimals: used.Tariff.Decimals()}
	if len(used.Tariff.Prices) > 0 {
		show.currency = used.Tariff.Currency
	}
	return show
}

func showEnergy(used hub.EnergyAnswer, q hub.EnergyQuery, step string) energyAnswer {
	show := showing(used, q)
	answer := energyAnswer{
		From: inZone(q.From, q.Zone), To: inZone(q.To, q.Zone), Step: step, Zone: q.Zone.String(),
		Currency: show.currency, Devices: []deviceEnergy{},
	}
	for _, d := range used.Devices {
		shown := deviceEnergy{
			ID: string(d.Device.ID), Name: d.Device.Name, Room: d.Device.Room, Parent: string(d.Device.Parent),
			EnergySum: show.sum(d.Buckets, d.Costs),
		}
		for i, r := range d.Unmetered {
			shown.Unmetered = append(shown.Unmetered, unmetered{
				From: inZone(r.From, q.Zone), To: inZone(r.To, q.Zone), Wh: int64(r.Energy), Within: int64(r.Within),
				Cost: show.cost(d.RestCosts, i), Quality: r.Quality.String(), Complete: r.Complete,
			})
		}
		answer.Devices = append(answer.Devices, shown)
	}
	for _, r := range used.Rooms {
		answer.Rooms = append(answer.Rooms, roomEnergy{r.Room, show.sum(r.Buckets, r.Costs)})
	}
	if used.House != nil {
		house := show.sum(used.House, used.HouseCosts)
		answer.House = &house
	}
	return answer
}

// sum shows buckets and what each of them cost; costs are nil without a price.
func (show energyShower) sum(buckets []smartmeter.EnergyBucket, costs []hub.Cost) EnergySum {
	sum := EnergySum{Buckets: make([]energyBucket, 0, len(buckets))}
	for i, b := range buckets {
		sum.Wh += int64(b.Energy)
		sum.Buckets = append(sum.Buckets, energyBucket{
			From: inZone(b.From, show.zone), To: inZone(b.To, show.zone), Wh: int64(b.Energy), Cost: show.cost(costs, i),
			Quality: b.Quality.String(), Missing: int64(b.Missing / 1000),
		})
	}
	if len(costs) > 0 {
		whole := costs[0]
		for _, c := range costs[1:] {
			whole = whole.Plus(c)
		}
		sum.Cost = whole.Round(show.decimals)
	}
	return sum
}

// cost shows the cost with an index, "" if it is not known.
func (show energyShower) cost(costs []hub.Cost, i int) string {
	if costs == nil {
		return ""
	}
	return costs[i].Round(show.decimals)
}

func inZone(i smartmeter.Instant, zone *time.Location) time.Time { return i.Time().In(zone) }

// registerEnergy adds the routes of energy, its cost and its corrections.
func (a *api) registerEnergy(h huma.API, get describeGet, change describeChange) {
	huma.Register(h, get(access.SeeRoom, "/api/v1/energy", "get-energy", "What devices, rooms and the house used"), a.energy)
	huma.Register(h, get(access.SeeRoom, "/api/v1/devices/{id}/energy", "get-device-energy", "What one device used"), a.deviceEnergy)
	huma.Register(h, get(access.SeeRoom, "/api/v1/devices/{id}/energy/findings", "list-findings", "What was found about a device's counters"), a.listFindings)
	huma.Register(h, get(access.SeeRoom, "/api/v1/settings", "get-settings", "In which time zone the site is, and what energy costs"), a.getSettings)
	huma.Register(h, change(access.EditSettings, http.MethodPut, "/api/v1/settings", "put-settings", "Say in which time zone the site is, and what energy costs from which dates on"), a.putSettings)
	huma.Register(h, get(access.SeeSite, "/api/v1/corrections", "list-corrections", "The journal of what people decided about energy"), a.listCorrections)
	huma.Register(h, change(access.CorrectEnergy, http.MethodPost, "/api/v1/corrections", "add-correction", "Accept, discard or set energy, tell of a reset or another meter, or undo that"), a.addCorrection)
	huma.Register(h, change(access.CorrectEnergy, http.MethodDelete, "/api/v1/corrections/{id}", "undo-correction", "Take a correction back; it stays in the journal"), a.undoCorrection)
}
