package archive

import "fmt"

// Mark says up to where a file is known.
type Mark struct {
	ID  uint64 // of the file
	End int64  // offset in bytes; negative if the file ends there in a torn batch
}

// offset returns where what is not known begins.
func (m Mark) offset() int64 {
	return max(m.End, -m.End)
}

// Marks says what is known of each file, by its name. It is plain data, to be
// kept with an index and given to Scan at the next start.
type Marks map[string]Mark

// Report is what Scan found.
type Report struct {
	Files  int   // of the archive
	Frames int   // delivered
	Bytes  int64 // read
	// Torn are the traces of power cuts: parts of a last batch that is not
	// whole. It was never acknowledged, on a disk that does not lie.
	Torn []Damage
	// Damage is what cannot be read though it was once durable, or may be.
	Damage []Damage
	// Gone are the files that the marks know and that are not there any more,
	// or are others now: an index must forget what it knows of their frames.
	// Those that no rewriting explains are in Damage, too.
	Gone []File

	unreadable bool // some of the damage is what the disk cannot read
}

// File names a file of the archive.
type File struct {
	Month Month
	Part  uint32
}

// Damage is a stretch of a file. The frames whose places lie in it are lost.
type Damage struct {
	File     File
	From, To int64 // offsets in bytes; To is behind it
	Reason   string
}

// Unreadable is the reason for what the disk cannot read, and may another day.
const Unreadable = "the disk cannot read it"

// Name returns the file's name.
func (f File) Name() string { return fileName(f.Month, f.Part) }

func (d Damage) String() string {
	return fmt.Sprintf("%s from byte %d to %d: %s", d.File.Name(), d.From, d.To, d.Reason)
}

// take reports what a walk found.
func (r *Report) take(p *part, k *walk) {
	for _, s := range k.torn {
		r.Torn = append(r.Torn, p.damaged(s.from, s.to, "not whole"))
	}
	for _, s := range k.damage {
		reason := "damaged"
		if !k.w.readable(s) {
			reason = Unreadable
			r.unreadable = true
		}
		r.Damage = append(r.Damage, p.damaged(s.from, s.to, reason))
	}
}
