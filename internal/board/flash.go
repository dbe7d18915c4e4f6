package board

import (
	"errors"
	"hash/crc32"
	"io"
	"strconv"
)

// Flash is memory that is erased in blocks, to ones, before it is written.
// TinyGo's machine.Flash is one.
type Flash interface {
	io.ReaderAt
	io.WriterAt
	EraseBlockSize() int64
	// EraseBlocks erases count blocks from the block start on.
	EraseBlocks(start, count int64) error
}

// Settings keeps a few values under names of their own, see node.Settings. The
// first two blocks of the flash each hold an image of all values, and a save
// replaces the older image:
//
//	0  "SmN1"
//	4  generation, one higher with each save
//	8  length of the values
//	12 CRC-32 (IEEE) of the length, the generation and the values
//	16 values: length of the name, name, length of the value (2 bytes), value
//
// All numbers are little endian.
type Settings struct {
	flash      Flash
	values     []setting // in the order of their first save
	generation uint32
	slot       int64 // of the image in force
	image      []byte
}

type setting struct {
	name  string
	value []byte
}

const (
	imageMark  = "SmN1"
	imageHead  = 16
	slots      = 2
	wordLen    = 4 // what flash is written in
	longestKey = 255
)

var (
	errFull    = errors.New("board: the settings do not fit their block of flash")
	errBadName = errors.New("board: a setting needs a name of 1 to 255 bytes")
)

// OpenSettings reads what the flash holds: the newer of the images that are
// whole, or nothing.
func OpenSettings(flash Flash) (*Settings, error) {
	s := &Settings{flash: flash, image: make([]byte, flash.EraseBlockSize())}
	var failed error
	for slot := range int64(slots) {
		if _, err := flash.ReadAt(s.image, slot*flash.EraseBlockSize()); err != nil {
			failed = err
			continue
		}
		generation, values, ok := decodeImage(s.image)
		if ok && (s.values == nil || int32(generation-s.generation) > 0) {
			s.generation, s.values, s.slot = generation, values, slot
		}
	}
	return s, failed
}

// decodeImage reads an image; ok is false if it is not whole. Its values are
// copies.
func decodeImage(image []byte) (generation uint32, values []setting, ok bool) {
	length := uint32At(image, 8)
	if string(image[:4]) != imageMark || int64(length) > int64(len(image)-imageHead) {
		return 0, nil, false
	}
	rest := image[imageHead : imageHead+length]
	if uint32At(image, 12) != checksum(image, rest) {
		return 0, nil, false
	}
	values = []setting{}
	for len(rest) > 0 {
		nameEnd := 1 + int(rest[0])
		if len(rest) < nameEnd+2 {
			return 0, nil, false
		}
		valueEnd := nameEnd + 2 + int(rest[nameEnd]) + int(rest[nameEnd+1])<<8
		if len(rest) < valueEnd {
			return 0, nil, false
		}
		values = append(values, setting{string(rest[1:nameEnd]), append([]byte(nil), rest[nameEnd+2:valueEnd]...)})
		rest = rest[valueEnd:]
	}
	return uint32At(image, 4), values, true
}

// checksum is that of an image with these values.
func checksum(image, values []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE(image[4:12]), crc32.IEEETable, values)
}

// Load returns what was saved last, nil if nothing was.
func (s *Settings) Load(name string) ([]byte, error) {
	if v := s.find(name); v != nil {
		return append([]byte(nil), v.value...), nil
	}
	return nil, nil
}

func (s *Settings) find(name string) *setting {
	for i := range s.values {
		if s.values[i].name == name {
			return &s.values[i]
		}
	}
	return nil
}

// Save returns when data survives a power cut. If it fails, what was saved before
// stays.
func (s *Settings) Save(name string, data []byte) error {
	if name == "" || len(name) > longestKey {
		return errBadName
	}
	changed := append([]setting(nil), s.values...)
	value := setting{name, append([]byte(nil), data...)}
	at := -1
	for i := range changed {
		if changed[i].name == name {
			at = i
		}
	}
	if at < 0 {
		changed = append(changed, value)
	} else {
		changed[at] = value
	}
	return s.replace(changed)
}

// Erase forgets everything, first by an image of nothing, so that a power cut
// cannot bring back half of it, and then the image that held it.
func (s *Settings) Erase() error {
	old := s.slot
	if err := s.replace([]setting{}); err != nil {
		return err
	}
	return s.flash.EraseBlocks(old, 1)
}

// replace puts an image of values in the place of the older one.
func (s *Settings) replace(values []setting) error {
	image, err := s.encode(values)
	if err != nil {
		return err
	}
	slot := (s.slot + 1) % slots
	if err := s.flash.EraseBlocks(slot, 1); err != nil {
		return err
	}
	if _, err := s.flash.WriteAt(image, slot*s.flash.EraseBlockSize()); err != nil {
		return err
	}
	if err := s.verify(image, slot); err != nil {
		return err
	}
	s.values, s.slot = values, slot
	s.generation++
	return nil
}

// encode puts together the image of values that follows the one in force.
func (s *Settings) encode(values []setting) ([]byte, error) {
	image := append(s.image[:0], imageMark...)
	image = append(image, make([]byte, imageHead-len(image))...)
	putUint32(image, 4, s.generation+1)
	for _, v := range values {
		if len(image)+1+len(v.name)+2+len(v.value)+wordLen > cap(s.image) {
			return nil, errFull
		}
		image = append(image, byte(len(v.name)))
		image = append(image, v.name...)
		image = append(image, byte(len(v.value)), byte(len(v.value)>>8))
		image = append(image, v.value...)
	}
	putUint32(image, 8, uint32(len(image)-imageHead))
	putUint32(image, 12, checksum(image, image[imageHead:]))
	for len(image)%wordLen != 0 {
		image = append(image, 0xFF)
	}
	return image, nil
}

// verify reads back what was written: a worn block keeps nothing, and says
// nothing of it.
func (s *Settings) verify(image []byte, slot int64) error {
	var part [64]byte
	for done := 0; done < len(image); done += len(part) {
		want := image[done:min(done+len(part), len(image))]
		if _, err := s.flash.ReadAt(part[:len(want)], slot*s.flash.EraseBlockSize()+int64(done)); err != nil {
			return err
		}
		if string(part[:len(want)]) != string(want) {
			return errors.New("board: block " + strconv.FormatInt(slot, 10) + " of the flash does not keep what is written to it")
		}
	}
	return nil
}

// uint32At and putUint32 are what encoding/binary has, which reaches reflect.
func uint32At(p []byte, at int) uint32 {
	p = p[at : at+4]
	return uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24
}

func putUint32(p []byte, at int, v uint32) {
	p = p[at : at+4]
	p[0], p[1], p[2], p[3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
}
