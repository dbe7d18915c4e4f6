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

// maxSettings bounds that file, in bytes.
const maxSettings = 1 << 20

// Settings returns what PutSettings kept last, nil if it never kept any.
func (s *Store) Settings(context.Context) ([]byte, error) {
	f, err := s.files.Open(settingsName)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", settingsName, err)
	}
	text, err := readWhole(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", settingsName, err)
	}
	return text, nil
}

func readWhole(f disk.File) ([]byte, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > maxSettings {
		return nil, fmt.Errorf("it has %d bytes, which no settings have", size)
	}
	text := make([]byte, size)
	_, err = f.ReadAt(text, 0)
	return text, err
}

// PutSettings keeps settings in place of what it kept before. It returns
// when that is durable; whenever the power fails there is the old or the new. It
// must not be called twice at a time.
func (s *Store) PutSettings(_ context.Context, text []byte) error {
	if err := s.writeSettings(text); err != nil {
		return fmt.Errorf("write %s: %w", settingsName, err)
	}
	return nil
}

func (s *Store) writeSettings(text []byte) error {
	const draft = settingsName + ".new"
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
	if err := s.files.Rename(draft, settingsName); err != nil {
		return err
	}
	return s.files.SyncDir(".")
}
