package archive

import (
	"context"
	"fmt"
	"slices"
)

// Remove removes all files of a month, for good; also from a full disk. If there
// is an error, nothing of the month counts any more, but files are left: remove
// it again. After a power cut in between, the month may be there in part, with
// payloads at its end that were never acknowledged.
func (a *Archive) Remove(ctx context.Context, m Month) error {
	if err := a.takeTurn(ctx); err != nil {
		return err
	}
	defer a.endTurn()
	month := a.months[m]
	if month == nil {
		return nil
	}
	a.change(func() {
		// The newest part goes first: what is left of the others still counts
		// then, and nothing seems to be missing. What it replaced went before.
		for _, p := range slices.Backward(month.parts) {
			month.void = append(month.void, p.name)
		}
		month.void = append(month.void, month.blank...)
		month.parts, month.blank, month.torn, month.damage = nil, nil, nil, nil
	})
	a.again(m)
	if err := a.removeVoid(month); err != nil {
		return fmt.Errorf("remove %v: %w", m, err)
	}
	return nil
}
