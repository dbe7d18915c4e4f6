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
	f, err := s.files.Open(pricesName)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", pricesName, err)
	}
	text, err := readWhole(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", pricesName, err)
	}
	return text, nil
}

func readWhole(f disk.File) ([]byte, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > maxPrices {
		return nil, fmt.Errorf("it has %d bytes, which no prices have", size)
	}
	text := make([]byte, size)
	_, err = f.ReadAt(text, 0)
	return text, err
}

// PutPrices keeps what energy costs in place of what it kept before. It returns
// when that is durable; whenever the power fails there is the old or the new. It
// must not be called twice at a time.
func (s *Store) PutPrices(_ context.Context, text []byte) error {
	if err := s.writePrices(text); err != nil {
		return fmt.Errorf("write %s: %w", pricesName, err)
	}
	return nil
}

func (s *Store) writePrices(text []byte) error {
	const draft = pricesName + ".new"
	if err := s.files.Remove(draft); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := s.files.Create(draft, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(text, 0)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := s.files.Rename(draft, pricesName); err != nil {
		return err
	}
	return s.files.SyncDir(".")
}
