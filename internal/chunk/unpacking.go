package chunk

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// unpacking is one chunk on its way into a table. Columns hardly depend on each
// other: those of a long chunk are unpacked at the same time, by as many
// goroutines as there are processors, at most.
type unpacking struct {
	table  *table
	count  int // readings
	want   columnSet
	packed [columns][]byte
	way    [columns]mode

	taken  atomic.Int32 // so many of unpackOrder
	done   [columns]sync.WaitGroup
	failed [columns]bool
}

const (
	worthSharing = 4096 // readings
	mostWorkers  = 4
)

// unpackOrder has every column behind those which it needs, and those first for
// which others wait longest.
var unpackOrder = [columns]column{
	colHas, colBoot, colSeq, colTiming,
	colVoltage, colPower, colCurrent, colTime, colEnergy, colFrequency, colPowerFactor,
}

// run unpacks the wanted columns, with as many joiners as it takes.
func (u *unpacking) run(joiners *[]joiner) error {
	workers := 1
	if u.count >= worthSharing {
		workers = min(runtime.GOMAXPROCS(0), mostWorkers)
	}
	for len(*joiners) < workers {
		*joiners = append(*joiners, joiner{})
	}
	for k := range columns {
		u.done[k].Add(1)
	}
	var others sync.WaitGroup
	for i := 1; i < workers; i++ {
		others.Go(func() { u.work(&(*joiners)[i]) })
	}
	u.work(&(*joiners)[0])
	others.Wait()
	for k := range columns {
		if u.failed[k] {
			return fmt.Errorf("%w: its column of %s cannot be read", ErrCorrupt, k)
		}
	}
	return nil
}

// work unpacks one column after the other until none is left. What a column
// needs was taken before it, so somebody always gets on.
func (u *unpacking) work(j *joiner) {
	for {
		i := int(u.taken.Add(1)) - 1
		if i >= len(unpackOrder) {
			return
		}
		k := unpackOrder[i]
		if u.want.has(k) {
			u.failed[k] = !u.column(j, k)
		}
		u.done[k].Done()
	}
}

// column unpacks a column, of one value for each reading or for each that has
// the quantity. Where a column it needs has failed, it makes something of
// whatever is there, and nobody will see it.
func (u *unpacking) column(j *joiner, k column) bool {
	held := u.count
	if k.quantity() != 0 {
		u.done[colHas].Wait()
		held = u.table.held[k]
	}
	u.table.make(k, u.count)
	diffs := u.table.col[k][u.count-held:]
	opened := j.open(u.packed[k], diffs)
	for input := range k {
		if (inputs[k] | alwaysNeeded[k]).has(input) && u.want.has(input) {
			u.done[input].Wait()
		}
	}
	if opened {
		u.table.walk(differences{reading: true, of: diffs}, k, u.way[k])
	}
	if k == colHas {
		u.table.noteHeld()
	}
	return opened && u.table.valid(k)
}

// alwaysNeeded are the columns that a column needs besides its inputs.
var alwaysNeeded = [columns]columnSet{
	colSeq:    1 << colBoot,
	colTime:   1<<colBoot | 1<<colSeq,
	colEnergy: 1 << colTime,
}
