package archive

// HeaderBytes is how many bytes of a file say what it is.
const HeaderBytes = headerBytes

// Identity is what a monthly file says of itself, whatever it is called.
type Identity struct {
	Site  [16]byte
	Month Month
	Part  uint32
	// Copies is how many of the two copies of its header are intact.
	Copies int
}

// Name returns what a file of this identity is called.
func (i Identity) Name() string { return fileName(i.Month, i.Part) }

// Identify reads the first HeaderBytes of a file, or what there is of them; ok is
// false if they are no monthly file's.
func Identify(b []byte) (i Identity, ok bool) {
	for at := 0; at < min(len(b), headerBytes); at += copyBytes {
		h, _, intact := parseCopy(b[at:])
		if !intact {
			continue
		}
		i = Identity{Site: h.site, Month: h.month, Part: h.number, Copies: i.Copies + 1}
	}
	return i, i.Copies > 0 && i.Month.valid() && i.Part > 0
}

// MonthOfName returns the month of a file that is called so; ok is false if the
// archive would not take it for one of its own.
func MonthOfName(name string) (m Month, ok bool) {
	m, _, ok = parseName(name)
	return m, ok
}
