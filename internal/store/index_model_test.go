package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
	"pgregory.net/rapid"
)

// Any history of changes leaves what a few maps would hold. A failure prints
// the seed that repeats it.
func TestIndexAgainstAModel(t *testing.T) {
	x := newIndex(t)
	rapid.Check(t, func(t *rapid.T) {
		fine(t, x.apply(context.Background(), indexChange{erased: []erasedEntry{{smartmeter.Device{ID: "n1"}, []chunk.ID{{1}}}, {smartmeter.Device{ID: "n2"}, []chunk.ID{{2}}}, {smartmeter.Device{ID: "n3"}, []chunk.ID{{3}}}}}))
		m := newModel()
		for range rapid.IntRange(1, 5).Draw(t, "changes") {
			c := m.change(t)
			fine(t, x.apply(context.Background(), c))
			m.compare(t, x)
		}
	})
}

// fine is ok for rapid.
func fine(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// model is what an index should know of channels 1 to 3 of a node each.
type model struct {
	chunks map[channelKey]map[[2]int64]chunkRow
	sums   map[channelKey]map[chunk.Day]string
	places int64
}

func newModel() *model {
	return &model{chunks: make(map[channelKey]map[[2]int64]chunkRow), sums: make(map[channelKey]map[chunk.Day]string)}
}

// change draws a change and makes it in the model.
func (m *model) change(t *rapid.T) (c indexChange) {
	for key := channelKey(1); key <= 3; key++ {
		node := smartmeter.NodeID(fmt.Sprintf("n%d", key))
		if m.chunks[key] != nil && rapid.IntRange(0, 9).Draw(t, "erase") == 0 {
			c.erased = append(c.erased, erasedEntry{smartmeter.Device{ID: smartmeter.DeviceID(node)}, []chunk.ID{{byte(key)}}})
			delete(m.chunks, key)
			delete(m.sums, key)
		}
		c.channels = append(c.channels, channelRow{key: key, uid: chunk.ID{byte(key)}, node: node})
		if m.chunks[key] == nil {
			m.chunks[key], m.sums[key] = make(map[[2]int64]chunkRow), make(map[chunk.Day]string)
		}
		m.rewrite(t, key, &c)
		for range rapid.IntRange(0, 4).Draw(t, "chunks") {
			row := sampleChunk(key, chunk.Day(rapid.IntRange(0, 5).Draw(t, "day")), uint32(rapid.IntRange(1, 3).Draw(t, "version")))
			row.place = m.newPlace()
			c.chunks = append(c.chunks, row)
			m.chunks[key][[2]int64{int64(row.day), -int64(row.version)}] = row
			packed := rapid.StringN(0, 20, 60).Draw(t, "packed")
			c.sums = append(c.sums, sumsRow{key, row.day, []byte(packed)})
			m.sums[key][row.day] = packed
		}
	}
	return c
}

func (m *model) newPlace() place {
	m.places++
	return place{month: int32(m.places % 3), part: 1, offset: m.places, length: 1}
}

// rewrite moves or drops some of a channel's chunks.
func (m *model) rewrite(t *rapid.T, key channelKey, c *indexChange) {
	if c.moved == nil {
		c.moved = make(map[place]place)
	}
	for _, name := range slices.SortedFunc(maps.Keys(m.chunks[key]), byDayAndVersion) {
		row := m.chunks[key][name]
		switch rapid.SampledFrom([]string{"keep", "keep", "move", "drop"}).Draw(t, "rewrite") {
		case "move":
			from := row.place
			row.place = m.newPlace()
			c.moved[from] = row.place
			m.chunks[key][name] = row
		case "drop":
			c.gone = append(c.gone, row.place)
			delete(m.chunks[key], name)
		}
	}
}

func byDayAndVersion(a, b [2]int64) int { return slices.Compare(a[:], b[:]) }

func (m *model) compare(t *rapid.T, x *index) {
	for key := channelKey(1); key <= 3; key++ {
		var chunks []chunkRow
		for _, name := range slices.SortedFunc(maps.Keys(m.chunks[key]), byDayAndVersion) {
			chunks = append(chunks, m.chunks[key][name])
		}
		got, err := allRows(x.chunks(context.Background(), key, 0, forEver))
		fine(t, err)
		if d := cmp.Diff(chunks, got, cmp.AllowUnexported(chunkRow{}, place{})); d != "" {
			t.Fatalf("chunks of channel %d (-model +index):\n%s", key, d)
		}
		sums := make(map[chunk.Day]string)
		for r, err := range x.sums(context.Background(), key, 0, forEver) {
			if err != nil {
				t.Fatal(err)
			}
			sums[r.day] = string(r.packed)
		}
		if d := cmp.Diff(m.sums[key], sums); d != "" {
			t.Fatalf("sums of channel %d (-model +index):\n%s", key, d)
		}
	}
}
