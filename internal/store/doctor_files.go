package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// misfit is a file that is not what or where it should be.
type misfit struct {
	name string // relative to the directory
	what string
	// to is the name that it gets; "" if it is only to be set aside.
	to string
	// site is what is to be written to site.id, if that is the file.
	site *chunk.ID
	// worn says that it stays, and its month is written again.
	worn *archive.Month
}

// monthlyFile is a file among the monthly ones, and what it says of itself.
type monthlyFile struct {
	name     string
	identity archive.Identity
	known    bool // it says something of itself
}

// misfitsIn finds the files that are not what or where they should be, and those
// that are none of ours.
func misfitsIn(files disk.FS) (misfits []misfit, notes []string, err error) {
	months, err := monthlyFiles(files)
	if err != nil {
		return nil, nil, err
	}
	site, wrong, err := checkSite(files, months)
	if err != nil {
		return nil, nil, err
	}
	if wrong != nil {
		misfits = append(misfits, *wrong)
	}
	inPlace, claimed := make(map[string]bool), make(map[string]bool)
	for _, m := range months {
		inPlace[m.name] = m.known && m.identity.Site == site && m.identity.Name() == m.name
	}
	for _, m := range months {
		name := path.Join(chunkDir, m.name)
		_, ours := archive.MonthOfName(m.name)
		switch right := path.Join(chunkDir, m.identity.Name()); {
		case strings.HasSuffix(m.name, ".new"): // what a rewriting has left: the hub removes it
		case !m.known && !ours:
			notes = append(notes, name+" is none of ours; it is left alone")
		case !m.known: // the archive says what is wrong with it
		case m.identity.Site != site && ours:
			misfits = append(misfits, misfit{name: name, what: "it belongs to another site"})
		case m.identity.Site != site:
			notes = append(notes, name+" belongs to another site; it is left alone")
		case inPlace[m.name] && m.identity.Copies < 2:
			month := m.identity.Month
			misfits = append(misfits, misfit{name: name, what: "one of the two copies of its header is damaged", worn: &month})
		case inPlace[m.name]:
		case !inPlace[m.identity.Name()] && !claimed[right]:
			misfits = append(misfits, misfit{name: name, what: "it is " + right + " under another name", to: right})
			claimed[right] = true
		case ours:
			misfits = append(misfits, misfit{name: name, what: "it is another copy of " + right})
		default:
			notes = append(notes, name+" is another copy of "+right+"; it is left alone")
		}
	}
	return misfits, notes, nil
}

// monthlyFiles reads what the files among the monthly ones say of themselves.
func monthlyFiles(files disk.FS) (all []monthlyFile, err error) {
	entries, err := files.List(chunkDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		head, err := readHead(files, path.Join(chunkDir, e.Name))
		if err != nil && !errors.Is(err, disk.ErrIO) {
			return nil, err
		}
		m := monthlyFile{name: e.Name}
		m.identity, m.known = archive.Identify(head)
		all = append(all, m)
	}
	return all, nil
}

// checkSite returns the site's id: of the file, or of the monthly files if all of
// them agree and the file does not.
func checkSite(files disk.FS, months []monthlyFile) (site chunk.ID, wrong *misfit, err error) {
	var sites []chunk.ID
	for _, m := range months {
		if id := chunk.ID(m.identity.Site); m.known && !slices.Contains(sites, id) {
			sites = append(sites, id)
		}
	}
	site, err = readSite(files)
	switch {
	case err == nil && (slices.Contains(sites, site) || len(sites) != 1):
		return site, nil, nil
	case err == nil:
		return sites[0], &misfit{name: siteName, what: "it names a site that no monthly file is of", site: &sites[0]}, nil
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errNoSite):
		return site, nil, err
	}
	what := "it does not hold an id of 32 hexadecimal digits"
	if errors.Is(err, fs.ErrNotExist) {
		what = "it is missing"
	}
	if len(sites) == 0 {
		_, _ = rand.Read(site[:]) // never fails
		sites = append(sites, site)
	}
	return sites[0], &misfit{name: siteName, what: what, site: &sites[0]}, nil
}

// mendMisfits puts every file in its place. What goes is given to aside first,
// which takes it away. Names may have been swapped: so each gets a name of its
// own in between, under which it is found again after a power cut.
func mendMisfits(files disk.FS, misfits []misfit, aside func(name string) error) error {
	const between = ".moving"
	for _, m := range misfits {
		var err error
		switch {
		case m.worn != nil:
		case m.site != nil:
			if err = aside(m.name); err == nil || errors.Is(err, fs.ErrNotExist) {
				err = writeSite(files, *m.site)
			}
		case m.to == "":
			err = aside(m.name)
		default:
			err = files.Rename(m.name, m.to+between)
		}
		if err != nil {
			return fmt.Errorf("put %s right: %w", m.name, err)
		}
	}
	for _, m := range misfits {
		if m.to == "" {
			continue
		}
		if f, err := files.Open(m.to); err == nil {
			return errors.Join(fmt.Errorf("put %s right: there is another file of that name", m.to), f.Close())
		}
		if err := files.Rename(m.to+between, m.to); err != nil {
			return fmt.Errorf("put %s right: %w", m.name, err)
		}
	}
	if err := files.SyncDir(chunkDir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
