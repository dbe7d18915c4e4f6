package wal

import "fmt"

// Report is what Open found.
type Report struct {
	Segments int   // files of the log, also those that were not read
	Records  int   // delivered
	Bytes    int64 // read
	// Torn says that the last batch was not whole: the trace of a power cut.
	// Its records were never acknowledged, on a disk that does not lie.
	Torn bool
	// TornIn is the segment that ends in it, TornRecords how many records of it
	// are whole, and void all the same.
	TornIn      string
	TornRecords int
	// Damage is what is missing though it was once durable, or may be.
	Damage []Damage
}

// Damage is a part of a segment that cannot be read or is not what was written.
type Damage struct {
	Segment string // file name
	Offset  int64  // where it begins, in bytes
	// From up to To, without it, are the missing positions. They are equal if
	// the log does not know what is missing.
	From, To Position
	Reason   string
}

func (d Damage) String() string {
	if d.From == d.To {
		return fmt.Sprintf("%s at byte %d: %s", d.Segment, d.Offset, d.Reason)
	}
	return fmt.Sprintf("%s at byte %d: %s: records %d to %d are missing", d.Segment, d.Offset, d.Reason, d.From, d.To-1)
}
