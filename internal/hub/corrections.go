package hub

import (
	"context"
	"crypto/rand"
	"slices"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
)

// Corrections returns the journal of what people decided about energy, oldest
// first.
func (h *Hub) Corrections(ctx context.Context) ([]smartmeter.Correction, error) {
	journal, err := h.store.Corrections(ctx)
	return journal, unavailable(err)
}

// Correct enters a person's decision into the journal and returns the entry, with
// its id and when it was made. By, Why, Kind and what the kind needs must be
// there; of CorrectBind the node and channel that the device is bound to, of
// CorrectUndo the target, and of the others the device, whose channel at From it
// is about. It returns when the entry is durable.
func (h *Hub) Correct(ctx context.Context, c smartmeter.Correction) (smartmeter.Correction, error) {
	h.correcting.Lock()
	defer h.correcting.Unlock()
	journal, err := h.store.Corrections(ctx)
	if err != nil {
		return c, unavailable(err)
	}
	c.ID, c.Made = rand.Text(), smartmeter.InstantOf(time.Now())
	if n := len(journal); n > 0 {
		c.Made = max(c.Made, journal[n-1].Made+1)
	}
	if err := h.address(ctx, &c, journal); err != nil {
		return c, err
	}
	if err := ledger.Check(journal, c); err != nil {
		return c, err
	}
	if err := h.checkFinding(ctx, c); err != nil {
		return c, err
	}
	if err := h.store.PutCorrection(c); err != nil {
		return c, unavailable(err)
	}
	return c, unavailable(h.store.Sync(ctx))
}

// address says of which channel a correction is.
func (h *Hub) address(ctx context.Context, c *smartmeter.Correction, journal []smartmeter.Correction) error {
	if c.Kind == smartmeter.CorrectUndo {
		i := slices.IndexFunc(journal, func(o smartmeter.Correction) bool { return o.ID == c.Target })
		if i < 0 {
			return smartmeter.NewError(smartmeter.NotFound, "target", "there is no such entry in the journal; GET /api/v1/corrections lists them all")
		}
		c.Node, c.Channel, c.Device = journal[i].Node, journal[i].Channel, journal[i].Device
		return nil
	}
	if _, err := h.Device(c.Device); err != nil {
		return err
	}
	if !dated(c.From) || c.To != 0 && !dated(c.To) {
		return smartmeter.NewError(smartmeter.Invalid, "from", "must be between the years 2000 and 2200")
	}
	if c.Kind == smartmeter.CorrectBind {
		return h.checkChannel(c.Node, c.Channel)
	}
	bindings, err := h.bindings(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(bindings, func(b ledger.Binding) bool {
		return b.Device == c.Device && b.From <= c.From && c.From < b.To
	})
	if i < 0 {
		return smartmeter.NewError(smartmeter.Invalid, "from", "the device had no meter at that time")
	}
	if c.To > bindings[i].To {
		return smartmeter.NewError(smartmeter.Invalid, "to", "another meter measures the device from "+bindings[i].To.Time().Format(time.RFC3339)+" on; correct its time apart")
	}
	c.Node, c.Channel = bindings[i].Node, bindings[i].Channel
	return nil
}

// checkChannel refuses a channel that nobody has heard of.
func (h *Hub) checkChannel(id smartmeter.NodeID, channel uint8) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := h.nodes[id]; n == nil || n.channels[channel] == nil {
		return smartmeter.NewError(smartmeter.NotFound, "node", "no node with such a channel was ever heard; GET /api/v1/devices tells the node of each device")
	}
	return nil
}

// checkFinding refuses a decision about energy that nobody holds.
func (h *Hub) checkFinding(ctx context.Context, c smartmeter.Correction) error {
	if c.Kind != smartmeter.CorrectAccept && c.Kind != smartmeter.CorrectDiscard {
		return nil
	}
	days, err := h.store.EnergyDays(ctx, c.Node, c.Channel, ledger.Range{First: ledger.DayOf(c.From), Last: ledger.DayOf(lastDated)})
	if err != nil {
		return unavailable(err)
	}
	for _, d := range days {
		for _, f := range d.Findings {
			if f.Held > 0 && f.To.At == c.From {
				return nil
			}
		}
	}
	return smartmeter.NewError(smartmeter.NotFound, "from", "no energy waits for a decision there; it must be a finding's \"at\", see /api/v1/devices/{id}/energy/findings")
}

// Finding is what a device's ledger found, and what a person decided about it.
type Finding struct {
	ledger.Finding
	// Decision is CorrectAccept, CorrectDiscard or "".
	Decision smartmeter.CorrectionKind
}

// Findings returns what was found about a device's counters with from <= To.At <
// to, oldest first.
func (h *Hub) Findings(ctx context.Context, id smartmeter.DeviceID, from, to smartmeter.Instant) ([]Finding, error) {
	if _, err := h.Device(id); err != nil {
		return nil, err
	}
	bindings, err := h.bindings(ctx)
	if err != nil {
		return nil, err
	}
	journal, err := h.store.Corrections(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	var all []Finding
	for _, b := range bindings {
		first, end := max(from, b.From, firstDated), min(to, b.To, lastDated)
		if b.Device != id || first >= end {
			continue
		}
		// A finding is concluded later than it was made, sometimes on another day.
		days, err := h.store.EnergyDays(ctx, b.Node, b.Channel, ledger.Range{First: ledger.DayOf(first), Last: ledger.DayOf(lastDated)})
		if err != nil {
			return nil, unavailable(err)
		}
		decided := ledger.Effective(ledger.OfChannel(journal, b.Node, b.Channel))
		for _, d := range days {
			for _, f := range d.Findings {
				if first <= f.To.At && f.To.At < end {
					all = append(all, Finding{f, decisionOn(f, decided)})
				}
			}
		}
	}
	return all, nil
}

// decisionOn returns the last decision about energy that a finding holds.
func decisionOn(f ledger.Finding, decided []smartmeter.Correction) smartmeter.CorrectionKind {
	for _, c := range slices.Backward(decided) {
		if f.Held > 0 && c.From == f.To.At && (c.Kind == smartmeter.CorrectAccept || c.Kind == smartmeter.CorrectDiscard) {
			return c.Kind
		}
	}
	return ""
}
