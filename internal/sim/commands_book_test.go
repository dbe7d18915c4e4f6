package sim_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
)

// order is one command that a hub took, from the request to its end.
type order struct {
	number       int
	asked        time.Duration
	on           bool
	byID         bool          // it was sent; otherwise in text form, if at all
	lasts, lease time.Duration // For and Lease of the request

	state    smartmeter.CommandState
	executed bool
}

// book is what the hub's store knows of commands, on a disk that forgets what
// was not synced when the power goes. It compares each command's state with
// what its node did.
type book struct {
	world *campaign

	mu      sync.Mutex
	chance  *rand.Rand
	orders  map[string]*order // by id
	asked   map[int]*order    // by number, until the hub gave it an id
	rows    map[smartmeter.DeviceID][]row
	devices map[smartmeter.DeviceID]smartmeter.Device
	marks   map[smartmeter.Watermark]uint32 // by one without its Seq
	risen   []smartmeter.Watermark
}

// row is one command as the disk has it, and as it was written since.
type row struct {
	id              string
	durable, latest smartmeter.Command
}

// keptRows is how many commands of a device are kept after their end.
const keptRows = 64

func newBook(c *campaign) *book {
	return &book{
		world: c, chance: rand.New(rand.NewPCG(c.seed, 3)),
		orders: make(map[string]*order), asked: make(map[int]*order),
		rows: make(map[smartmeter.DeviceID][]row), devices: make(map[smartmeter.DeviceID]smartmeter.Device),
		marks: make(map[smartmeter.Watermark]uint32),
	}
}

// openBook is the book as one life of the hub has it open. What is not
// overridden is never called.
type openBook struct {
	hub.Store
	*book
	ctx context.Context // ends with the hub's life
}

// expect notes what somebody is about to ask for.
func (b *book) expect(o *order) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked[o.number] = o
}

// refused notes that the hub did not take what was asked for.
func (b *book) refused(o *order) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.asked[o.number] != o {
		b.world.fail("command %d was refused, and taken", o.number)
	}
	delete(b.asked, o.number)
}

// lost forgets what no Sync has made durable.
func (b *book) lost() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, rows := range b.rows {
		b.rows[id] = slices.DeleteFunc(rows, func(r row) bool {
			unknown := r.durable.ID == ""
			if unknown { // as it is to the hub, which had not sent it
				delete(b.orders, r.id)
			}
			return unknown
		})
		for i := range b.rows[id] {
			b.rows[id][i].latest = b.rows[id][i].durable
		}
	}
}

// PutCommand notes the command's next state.
func (b openBook) PutCommand(c smartmeter.Command) error {
	if b.ctx.Err() != nil {
		return b.ctx.Err() // the dead write nothing
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.write(c)
	if c.Cause.Unasked() {
		return nil
	}
	o := b.orders[c.ID]
	if o == nil {
		text, _, _ := strings.Cut(string(c.Cause), ",")
		number, err := strconv.Atoi(text)
		if o = b.asked[number]; err != nil || o == nil {
			b.world.fail("a command that nobody asked for: %+v", c)
			return nil
		}
		b.orders[c.ID] = o
		delete(b.asked, number)
	}
	b.advance(o, c)
	return nil
}

// write puts a command in its row. The caller holds mu.
func (b *book) write(c smartmeter.Command) {
	rows := b.rows[c.Device]
	i := slices.IndexFunc(rows, func(r row) bool { return r.id == c.ID })
	if i < 0 {
		if len(rows) > keptRows && rows[0].durable.State.Final() {
			rows = slices.Delete(rows, 0, 1)
		}
		rows, i = append(rows, row{id: c.ID}), len(rows)
	}
	rows[i].latest = c
	b.rows[c.Device] = rows
}

// advance checks a command's state against the one before, and against what
// its node did. The caller holds mu.
func (b *book) advance(o *order, c smartmeter.Command) {
	b.world.note("%d %s", o.number, c.State)
	restarted := strings.HasPrefix(c.Reason, "the hub restarted")
	age := b.world.agenda.Now() - o.asked
	switch {
	case c.State == o.state && c.Watts != "": // its power was measured since
	case o.state.Final() && o.state != "" && !restarted:
		b.world.fail("command %d was %s and is %s now", o.number, o.state, c.State)
	case c.State == smartmeter.CommandAcknowledged && !o.executed && o.byID:
		b.world.fail("command %d is called acknowledged, and its node did not obey it: %+v", o.number, c)
	case c.State.Final() && c.State != smartmeter.CommandUnknown && c.State != smartmeter.CommandAcknowledged && o.executed:
		b.world.fail("command %d is called %s (%s), and its node obeyed it", o.number, c.State, c.Reason)
	case !restarted && age > answerWithin:
		b.world.fail("command %d is %s only after %v", o.number, c.State, age)
	}
	o.state = c.State
}

// answerWithin is how long a command stays open while the hub lives: 10 s that
// it is valid, and 2 s for the answer. Nothing obeys it after validFor.
const (
	answerWithin = 12*time.Second + 10*time.Millisecond
	validFor     = 10 * time.Second
)

// sent notes that the hub published a command by its id.
func (b *book) sent(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o := b.orders[id]; o != nil {
		o.byID = true
	}
}

// obeyed notes that a node obeyed a command, and returns it; nil if it is none
// of the hub's.
func (b *book) obeyed(id string) *order {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.orders[id]
	if o == nil {
		return nil
	}
	age := b.world.agenda.Now() - o.asked
	switch {
	case o.executed:
		b.world.fail("command %d was obeyed twice", o.number)
	case o.state.Final() && o.state != smartmeter.CommandUnknown:
		b.world.fail("command %d was called %s, and then obeyed", o.number, o.state)
	case age > validFor+slack(validFor):
		b.world.fail("command %d was obeyed %v after it was asked for", o.number, age)
	}
	o.executed = true
	return o
}

// open returns how many commands have no end yet, and forgets those that ended
// long ago and for good.
func (b *book) open(tell bool) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	open, unsure := 0, make(map[string]bool)
	for _, rows := range b.rows {
		for _, r := range rows {
			unsure[r.id] = r.durable.State == "" || !r.durable.State.Final()
		}
	}
	now := b.world.agenda.Now()
	for id, o := range b.orders {
		if !o.state.Final() || o.state == "" {
			open++
			if tell {
				b.world.t.Logf("%s %+v", id, o)
			}
		} else if now-o.asked > 10*time.Minute && !unsure[id] {
			delete(b.orders, id)
		}
	}
	return open
}

// Sync takes its time, as an SD card does.
func (b openBook) Sync(ctx context.Context) error {
	b.mu.Lock()
	took := time.Duration(0)
	switch n := b.chance.IntN(1000); {
	case n < 3:
		took = time.Duration(b.chance.Int64N(int64(15 * time.Second)))
	case n < 50:
		took = time.Duration(b.chance.Int64N(int64(2 * time.Second)))
	}
	b.mu.Unlock()
	if took > 0 {
		timer := time.NewTimer(took)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if b.ctx.Err() != nil {
		return b.ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, rows := range b.rows {
		for i := range rows {
			rows[i].durable = rows[i].latest
		}
	}
	return nil
}

// Commands returns a device's newest commands.
func (b openBook) Commands(_ context.Context, device smartmeter.DeviceID, limit int) ([]smartmeter.Command, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []smartmeter.Command
	for _, r := range slices.Backward(b.rows[device]) {
		if len(all) < limit {
			all = append(all, r.latest)
		}
	}
	return all, nil
}

// AppendReadings takes readings and says up to where they are durable.
func (b openBook) AppendReadings(readings ...smartmeter.Reading) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range readings {
		mark := smartmeter.Watermark{Node: r.Node, Channel: r.Channel, Boot: r.Boot}
		if r.Seq > b.marks[mark] {
			b.marks[mark] = r.Seq
			mark.Seq = r.Seq
			b.risen = append(b.risen, mark)
		}
	}
	return nil
}

// Watermarks returns what has risen since the last call.
func (b openBook) Watermarks() []smartmeter.Watermark {
	b.mu.Lock()
	defer b.mu.Unlock()
	risen := b.risen
	b.risen = nil
	return risen
}

// Watermark returns that of one boot.
func (b openBook) Watermark(node smartmeter.NodeID, channel uint8, boot smartmeter.BootID) smartmeter.Watermark {
	b.mu.Lock()
	defer b.mu.Unlock()
	mark := smartmeter.Watermark{Node: node, Channel: channel, Boot: boot}
	seq := b.marks[mark]
	mark.Seq = seq
	return mark
}

// PutDevice keeps a device.
func (b openBook) PutDevice(d smartmeter.Device) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.devices[d.ID] = d
	return nil
}

// Devices returns all of them.
func (b openBook) Devices(context.Context) (all []smartmeter.Device, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, j := range b.world.judges {
		if d, known := b.devices[smartmeter.DeviceID(j.ID)]; known {
			all = append(all, d)
		}
	}
	return all, nil
}

// What follows is of no interest here.

func (openBook) PutAlert(smartmeter.Alert) error                          { return nil }
func (openBook) Alerts(context.Context, int) ([]smartmeter.Alert, error)  { return nil, nil }
func (openBook) Latest(context.Context) ([]smartmeter.Reading, error)     { return nil, nil }
func (openBook) Lost(smartmeter.NodeID, uint8, smartmeter.BootID, uint32) {}
func (openBook) Place(string, smartmeter.Instant) error                   { return nil }
func (openBook) AppendUnplaced(string, ...smartmeter.Reading) error       { return nil }
func (openBook) Unplaced() int                                            { return 0 }
