package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// siteName is the file with the site's id: 32 hexadecimal digits.
const siteName = "site.id"

// errNoSite says that the file with the site's id is not what was written.
var errNoSite = errors.New("it does not hold an id of 32 hexadecimal digits")

// openSite reads who this data belongs to. It draws an id the first time; one
// that a card has lost is in the monthly files, too.
func (s *Store) openSite(_ context.Context, files disk.FS) error {
	site, err := readSite(files)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoSite) {
		if errors.Is(err, errNoSite) {
			s.log.Warn("the site's id is lost; it is looked for in the monthly files", "file", siteName)
		}
		if site, err = s.siteOfMonths(files); err == nil {
			err = writeSite(files, site)
		}
	}
	if err != nil {
		return fmt.Errorf("the site's id in %s: %w", siteName, err)
	}
	s.site, s.sealer.site = site, site
	return nil
}

func readSite(files disk.FS) (site chunk.ID, err error) {
	f, err := files.Open(siteName)
	if err != nil {
		return site, err
	}
	text := make([]byte, 2*len(site))
	_, err = f.ReadAt(text, 0)
	if err == nil {
		_, err = hex.Decode(site[:], text)
	}
	if err != nil && !errors.Is(err, disk.ErrIO) {
		err = fmt.Errorf("%w: %w", errNoSite, err)
	}
	return site, errors.Join(err, f.Close())
}

// siteOfMonths returns the id in the headers of the monthly files, see package
// archive, or a new one if there are none.
func (s *Store) siteOfMonths(files disk.FS) (site chunk.ID, err error) {
	entries, err := files.List(chunkDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return site, err
	}
	for _, e := range entries {
		header, err := readHead(files, path.Join(chunkDir, e.Name))
		if err != nil {
			return site, err
		}
		if of, ok := archive.Identify(header); ok {
			return of.Site, nil
		}
	}
	_, err = io.ReadFull(s.random, site[:])
	return site, err
}

// readHead returns as many bytes as say which monthly file a file is, or what
// there is of them.
func readHead(files disk.FS, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	head := make([]byte, archive.HeaderBytes)
	n, err := f.ReadAt(head, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return head[:n], errors.Join(err, f.Close())
}

func writeSite(files disk.FS, site chunk.ID) error {
	return disk.ReplaceFile(files, siteName, []byte(hex.EncodeToString(site[:])+"\n"))
}
