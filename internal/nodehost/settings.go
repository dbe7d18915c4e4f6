package nodehost

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/iot-smart-meter/smartmeter/internal/node"
)

// settingsDir keeps settings as files of a directory, see node.Settings.
type settingsDir string

// openSettings returns the settings kept in dir, which it makes if need be; nil
// for "".
func openSettings(dir string) (node.Settings, error) {
	if dir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot keep settings: %w", err)
	}
	return settingsDir(dir), nil
}

// Load returns what was saved last, nil if nothing was.
func (d settingsDir) Load(name string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(string(d), name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// Save writes a new file, puts it in the place of the old one, and sees both
// through to the disk: after a power cut there is one or the other, whole.
func (d settingsDir) Save(name string, data []byte) error {
	f, err := os.CreateTemp(string(d), name+"-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(string(d), name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return d.sync()
}

// sync makes a rename last.
func (d settingsDir) sync() error {
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Erase forgets everything.
func (d settingsDir) Erase() error {
	var failed []error
	for _, name := range []string{node.SavedConfig, node.SavedRelay, node.SavedCutOff} {
		if err := os.Remove(filepath.Join(string(d), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	return errors.Join(append(failed, d.sync())...)
}
