package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/mattn/go-isatty"
)

// Progress tells a person at a terminal how far something is, in one line that is
// gone when it is over. Elsewhere it is silent. Make one with NewProgress.
type Progress struct {
	w     io.Writer // nil if nobody looks
	what  string
	shown string
}

// NewProgress returns the progress of what is being done; it is shown if w is a
// terminal.
func NewProgress(w io.Writer, what string) *Progress {
	p := &Progress{what: what}
	if f, ok := w.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		p.w = w
	}
	return p
}

// Show tells how much is done, of a whole that may grow meanwhile.
func (p *Progress) Show(done, total int64) {
	if total > 0 {
		p.Say(fmt.Sprintf("%d %%", min(done*100/total, 100)))
	}
}

// Say tells it in words.
func (p *Progress) Say(text string) {
	if p.w == nil || text == p.shown {
		return
	}
	p.shown = text
	fmt.Fprintf(p.w, "\r\x1b[K%s: %s", p.what, text)
}

// End takes the line away.
func (p *Progress) End() {
	if p.w != nil && p.shown != "" {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
