package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// Storage is `smartmeter storage`.
type Storage struct {
	Hub
}

// Help is what --help shows below the flags.
func (*Storage) Help() string {
	return `What the history takes of the hub's disk, and when that is full at the present
rate. With "hub --keep-raw 730d" old months are thinned to their sums by quarter
hour.

    $ smartmeter storage
    log        12.0 MiB
    chunks     201.4 MiB
    database   14.2 MiB
    free       20.1 GiB
    growth     0.6 MiB a day
    full on    not within 50 years
    readings   since 2026-11-01, kept for ever

` + exitHelp
}

type storage struct {
	Log         int64   `json:"log_bytes"`
	Chunks      int64   `json:"chunk_bytes"`
	Database    int64   `json:"database_bytes"`
	Free        int64   `json:"free_bytes"`
	PerDay      int64   `json:"bytes_per_day"`
	FullOn      *string `json:"full_on"`
	KeepRawDays *int    `json:"keep_raw_days"`
	OldestRaw   *string `json:"oldest_raw"`
}

// Run says on env.Stdout what the hub's history takes.
func (s *Storage) Run(env *Env) error {
	c, err := s.open(env)
	if err != nil {
		return err
	}
	a, err := c.ask(env.Ctx, patience, http.MethodGet, "/api/v1/storage", nil)
	if err != nil {
		return err
	}
	if s.JSON {
		return writeDocument(env.Stdout, a.body)
	}
	var used storage
	if err := json.Unmarshal(a.body, &used); err != nil {
		return c.stranger("an answer that says nothing of its disk")
	}
	return writeStorage(env.Stdout, used)
}

func writeStorage(w io.Writer, s storage) error {
	growth, full := "not known before a day is sealed", "not known before a day is sealed"
	if s.PerDay > 0 {
		growth, full = Size(s.PerDay)+" a day", "not within 50 years"
	}
	if s.FullOn != nil {
		full = printable(*s.FullOn)
	}
	readings := "none"
	if s.OldestRaw != nil {
		readings = "since " + printable(*s.OldestRaw)
	}
	kept := "kept for ever"
	if s.KeepRawDays != nil {
		kept = fmt.Sprintf("kept for %d days at least", *s.KeepRawDays)
	}
	_, err := fmt.Fprintf(w, "log        %s\nchunks     %s\ndatabase   %s\nfree       %s\ngrowth     %s\nfull on    %s\nreadings   %s, %s\n",
		Size(s.Log), Size(s.Chunks), Size(s.Database), Size(s.Free), growth, full, readings, kept)
	return err
}

// Size writes bytes in the unit a person would use.
func Size(bytes int64) string {
	switch {
	case bytes < 512<<10:
		return fmt.Sprintf("%.1f KiB", float64(bytes)/(1<<10))
	case bytes < 10<<30:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	default:
		return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
	}
}
