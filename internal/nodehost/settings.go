package nodehost

import (
	"errors"
	"io/fs"

	"github.com/iot-smart-meter/smartmeter/internal/node"
)

// settings keeps each setting in a file of its own, see node.Settings.
type settings struct{ files }

// beside is what a new version is called until it takes the old one's place.
const beside = ".new"

// Load returns what was saved last, nil if nothing was.
func (s settings) Load(name string) ([]byte, error) {
	data, err := s.Read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// Save writes a new file, puts it in the place of the old one, and sees both
// through to the disk: after a power cut there is one or the other, whole.
func (s settings) Save(name string, data []byte) error {
	err := s.write(name+beside, data)
	if err == nil {
		err = s.Rename(name+beside, name)
	}
	if err != nil {
		return errors.Join(err, s.Remove(name+beside))
	}
	return s.Sync()
}

// write makes a file of data that survives a power cut, but for its name.
func (s settings) write(name string, data []byte) error {
	f, err := s.Open(name)
	if err != nil {
		return err
	}
	err = f.Truncate(0) // one that a power cut left
	if err == nil {
		_, err = f.WriteAt(data, 0)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Erase forgets everything.
func (s settings) Erase() error {
	return errors.Join(s.Remove(node.SavedConfig), s.Remove(node.SavedRelay), s.Remove(node.SavedCutOff), s.Remove(savedHub), s.Sync())
}
