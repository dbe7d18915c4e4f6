package store

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// settingsName is the file with what people said about the site: the hub's words
// for it, which nothing here reads. It lies beside the index, not in it, so that
// it outlives the index; and it changes some times a year.
const settingsName = "settings.json"

// formerSettingsName is where an earlier build kept the prices, in the same
// words and without a zone.
const formerSettingsName = "prices.json"

// maxSettings bounds that file, in bytes.
const maxSettings = 1 << 20

// Settings returns what PutSettings kept last, nil if it never kept any.
func (s *Store) Settings(context.Context) ([]byte, error) {
	text, err := disk.ReadFile(s.files, settingsName, maxSettings)
	if errors.Is(err, os.ErrNotExist) {
		text, err = disk.ReadFile(s.files, formerSettingsName, maxSettings)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", settingsName, err)
	}
	return text, nil
}

// PutSettings keeps settings in place of what it kept before. It returns
// when that is durable; whenever the power fails there is the old or the new. It
// must not be called twice at a time.
func (s *Store) PutSettings(_ context.Context, text []byte) error {
	if err := disk.ReplaceFile(s.files, settingsName, text); err != nil {
		return fmt.Errorf("write %s: %w", settingsName, err)
	}
	return nil
}
