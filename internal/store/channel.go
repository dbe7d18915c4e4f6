package store

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
	"github.com/iot-smart-meter/smartmeter/internal/wal"
)

// channelID is a metering channel as nodes name it.
type channelID struct {
	node    smartmeter.NodeID
	channel uint8
}

// channel is what memory holds of a metering channel. The store's mu guards it.
type channel struct {
	id     channelID
	uid    chunk.ID   // its name for good
	number uint32     // in the log, see numberOf
	key    channelKey // in the index; 0 while that does not know it

	latest *smartmeter.Reading // replaced, never changed
	boots  map[smartmeter.BootID]*boot
	days   map[chunk.Day]*openDay // those with readings that are not sealed
	// waiting are the readings that are not in the log yet.
	waiting []smartmeter.Reading
	// energy has a lock of its own.
	energy *channelEnergy
}

// openDay is a day's readings that are not sealed.
type openDay struct {
	// tail has the newest as they came in; it is only appended to.
	tail []smartmeter.Reading
	// packed has older ones as chunks, which may overlap in time.
	packed [][]byte
	// replayed has those that the log had when the store was opened, as records
	// of readings, until there is time to pack them.
	replayed [][]byte
	count    int
	// needs is the first record of the log with any of them; 0 if there is none.
	needs wal.Position
}

// boot is what is known of the samples that a node numbered since a boot.
type boot struct {
	channel *channel
	id      smartmeter.BootID
	taken   spans // all that came in
	logged  spans // in the log, not durable yet
	durable spans
	// replayed are those that the log had, while the store is opened.
	replayed spans
	// first is the number below which nothing more will come.
	first uint32
	// watermark is up to where nothing is missing.
	watermark uint32
	lastAt    smartmeter.Instant
	// unsaved says that the index knows less than durable.
	unsaved bool
}

// maxBoots bounds how many boots of a channel are remembered.
const maxBoots = 256

// maxDay bounds how many readings a channel can have in a day; a sealed day
// holds no more.
const maxDay = chunk.MaxReadings

// channelOf returns a channel, made at its first reading. The caller holds mu.
func (s *Store) channelOf(id channelID) *channel {
	if c := s.channels[id]; c != nil {
		return c
	}
	id.node = smartmeter.NodeID(strings.Clone(string(id.node))) // it may be part of a longer text
	c := s.addChannel(id, s.newUID())
	s.entries = append(s.entries, entry{Channel: c.entry()})
	return c
}

// newUID draws a channel's name for good, of which its number differs from all
// others.
func (s *Store) newUID() (uid chunk.ID) {
	for {
		_, _ = io.ReadFull(s.random, uid[:]) // crypto/rand never fails
		taken := false
		for other := range s.byUID {
			taken = taken || numberOf(other) == numberOf(uid)
		}
		if !taken {
			return uid
		}
	}
}

// numberOf returns the number that stands for a channel in the log. It follows
// from the channel's name for good, so that no number ever stands for another
// channel, whatever a disk forgets.
func numberOf(uid chunk.ID) uint32 { return binary.LittleEndian.Uint32(uid[:]) }

// addChannel makes a channel with a name for good. The caller holds mu.
func (s *Store) addChannel(id channelID, uid chunk.ID) *channel {
	c := &channel{id: id, uid: uid, number: numberOf(uid), boots: make(map[smartmeter.BootID]*boot), days: make(map[chunk.Day]*openDay), energy: newChannelEnergy()}
	s.keys++
	c.key = s.keys
	s.byUID[uid] = c
	if id.node != "" {
		s.channels[id] = c
	}
	return c
}

// channelsInOrder returns all channels in the order in which they became known: a file
// that is written from them does not depend on chance. The caller holds mu.
func (s *Store) channelsInOrder() []*channel {
	return slices.SortedFunc(maps.Values(s.byUID), byKey)
}

func byKey(x, y *channel) int { return cmp.Compare(x.key, y.key) }

// hasName reports whether a channel is known and how its node calls it.
func (s *Store) hasName(uid chunk.ID) bool {
	c := s.byUID[uid]
	return c != nil && c.id.node != ""
}

// nameless begins the name in the index of a channel whose name is lost; the
// rest is its name for good. No node has such an id.
const nameless = "?"

func (c *channel) entry() *channelEntry {
	return &channelEntry{Number: c.number, UID: c.uid, Node: c.id.node, Channel: c.id.channel}
}

func (c *channel) row() channelRow {
	row := channelRow{key: c.key, uid: c.uid, node: c.id.node, channel: c.id.channel}
	if row.node == "" {
		row.node = smartmeter.NodeID(nameless + hex.EncodeToString(c.uid[:]))
	}
	return row
}

// boot returns what is known of a boot. When there are too many, one is
// forgotten: its samples may then be kept twice if they come again.
func (c *channel) boot(id smartmeter.BootID) *boot {
	b := c.boots[id]
	if b == nil {
		if len(c.boots) >= maxBoots {
			delete(c.boots, c.oldestBoot())
		}
		b = &boot{channel: c, id: id}
		c.boots[id] = b
	}
	return b
}

func (c *channel) oldestBoot() (oldest smartmeter.BootID) {
	var found *boot
	for id, b := range c.boots {
		if found == nil || b.lastAt < found.lastAt {
			oldest, found = id, b
		}
	}
	return oldest
}

// hold keeps a reading in memory until its day is sealed, and reports whether
// there is room for it.
func (c *channel) hold(r smartmeter.Reading) bool {
	if c.put(r) == nil {
		return false
	}
	c.show(r)
	return true
}

// put adds a reading to its day and returns that, nil if there is no room.
func (c *channel) put(r smartmeter.Reading) *openDay {
	day := c.days[chunk.DayOf(r.At)]
	if day == nil {
		day = &openDay{}
		c.days[chunk.DayOf(r.At)] = day
	}
	if day.count >= maxDay {
		return nil
	}
	day.tail = append(day.tail, r)
	day.count++
	return day
}

// show makes r the latest reading, or part of it, if it is.
func (c *channel) show(r smartmeter.Reading) {
	if latest, news := c.with(&r); news {
		replaced := latest
		c.latest = &replaced
	}
}

// showAgain is show while the store is opened: nobody has seen the latest reading
// yet, so that it need not be replaced by another.
func (c *channel) showAgain(r *smartmeter.Reading) {
	if c.latest == nil {
		c.show(*r)
	} else if latest, news := c.with(r); news {
		*c.latest = latest
	}
}

// with returns what the latest reading is with r, and whether that is news.
func (c *channel) with(r *smartmeter.Reading) (latest smartmeter.Reading, news bool) {
	switch {
	case c.latest == nil || byTime(*r, *c.latest) >= 0:
		return r.After(c.latest), true
	case r.Has.Has(smartmeter.Energy) && !c.latest.Has.Has(smartmeter.Energy):
		return c.latest.After(r), true
	default:
		return latest, false
	}
}
