package access

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// maxAbout bounds what an entry says of its object, in bytes.
const maxAbout = 200

// Note enters what somebody did into the audit log. It is durable some seconds
// later, and at once where accounts change.
func (p *People) Note(who Principal, did, about string) { p.note(who, did, about) }

func (p *People) note(who Principal, did, about string) {
	e := Entry{At: time.Now(), Who: who.String(), Did: did, About: cut(about, maxAbout)}
	if who.From.IsValid() {
		e.From = who.From.String()
	}
	if err := p.audit.add(e); err != nil {
		p.log.Error("the audit log is not kept", "err", err)
	}
}

// cut returns at most n bytes of s, and only whole characters.
func cut(s string, n int) string { return strings.ToValidUTF8(s[:min(len(s), n)], "") }

// missed counts failures that were not entered one by one.
type missed struct {
	since time.Time
	lines int
	more  int
}

// failuresNoted is how many failures an hour get a line each: the log must not
// be filled by whoever guesses. How many more there were, the next line says.
const failuresNoted = 60

func (p *People) noteFailure(from netip.Addr, did, name string) {
	p.mu.Lock()
	m := &p.missed
	if now := time.Now(); now.Sub(m.since) > time.Hour {
		m.since, m.lines = now, 0
	}
	m.lines++
	if m.lines > failuresNoted {
		m.more++
		p.mu.Unlock()
		return
	}
	about := ""
	// What was typed as a name may be a password: only names that exist are told.
	if _, known := p.book.Load().Accounts[name]; known {
		about = name
	}
	if m.more > 0 {
		about += fmt.Sprintf(" and %d more that are not listed", m.more)
		m.more = 0
	}
	p.mu.Unlock()
	p.note(Principal{From: from}, did+"-failed", about)
}

// Audit is what Audit returns.
type Audit struct {
	// Entries are the newest first.
	Entries []Entry
	// Chain is the end of what was checked.
	Chain Chain
	// Err says where the log was changed; nil if it is as it was written.
	Err error
}

// Audit checks the whole audit log and returns its newest entries before the
// one with the number before, 0 for the newest of all.
func (p *People) Audit(before uint64, limit int) (Audit, error) {
	anchor := p.book.Load().Audit
	text, err := p.audit.text()
	if err != nil {
		return Audit{}, err
	}
	var a Audit
	held := anchor.Lines == 0
	a.Chain, a.Err = CheckAudit(bytes.NewReader(text), nil, func(e Entry) {
		held = held || e.N == anchor.Lines && e.Hash == anchor.Hash
		if before == 0 || e.N < before {
			a.Entries = append(a.Entries, e)
			if len(a.Entries) > 2*limit { // hold a page or two, not all of it
				a.Entries = append(a.Entries[:0], a.Entries[len(a.Entries)-limit:]...)
			}
		}
	})
	if a.Err == nil && !held {
		a.Err = fmt.Errorf("line %d of the audit log is missing or was changed", anchor.Lines)
	}
	a.Entries = a.Entries[max(0, len(a.Entries)-limit):]
	slices.Reverse(a.Entries)
	return a, nil
}

// ExportAudit returns the audit log as it is kept: JSON lines that CheckAudit
// checks anywhere.
func (p *People) ExportAudit() ([]byte, error) { return p.audit.text() }
