package store

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// pricesName is the file with what energy costs: the hub's words for it, which
// nothing here reads. It lies beside the index, not in it, so that it outlives
// the index; and it changes some times a year.
const pricesName = "prices.json"

// maxPrices bounds that file, in bytes.
const maxPrices = 1 << 20

// Prices returns what PutPrices kept last, nil if it never kept anything.
func (s *Store) Prices(context.Context) ([]byte, error) {
	text, err := disk.ReadFile(s.files, pricesName, maxPrices)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", pricesName, err)
	}
	return text, nil
}

// PutPrices keeps what energy costs in place of what it kept before. It returns
// when that is durable; whenever the power fails there is the old or the new. It
// must not be called twice at a time.
func (s *Store) PutPrices(_ context.Context, text []byte) error {
	if err := disk.ReplaceFile(s.files, pricesName, text); err != nil {
		return fmt.Errorf("write %s: %w", pricesName, err)
	}
	return nil
}
