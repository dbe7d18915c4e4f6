package access

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Entry is a line of the audit log: who did what, and when.
type Entry struct {
	N     uint64    `json:"n"` // counts from 1
	At    time.Time `json:"at"`
	Who   string    `json:"who"`            // as Principal.String
	From  string    `json:"from,omitempty"` // network address
	Did   string    `json:"did"`            // like "login" or "switch-relay"
	About string    `json:"about,omitempty"`
	// Before is the hash of the line before, "" in the first.
	Before string `json:"before"`
	// Hash is that of the line without it.
	Hash string `json:"hash"`
}

// seal returns e as a line that follows one with the hash before.
func (e Entry) seal(before string) (line []byte, hash string) {
	e.Before, e.Hash = before, ""
	body, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings, a number and a time of this era can be written
	}
	sum := sha256.Sum256(body)
	hash = hex.EncodeToString(sum[:])
	body = bytes.TrimSuffix(body, []byte(`""}`))
	return append(body, `"`+hash+"\"}\n"...), hash
}

// Chain is the state of the log behind its last line that was checked.
type Chain struct {
	Lines uint64 `json:"lines"`
	Hash  string `json:"hash"` // of the last line
}

// maxLine bounds a line of the log, in bytes.
const maxLine = 16 << 10

// CheckAudit reads a log, or an export of it, and hands on its entries. The
// error names the first line that is not as it was written, or does not follow
// the one before. A log that was begun anew because it had grown too long
// continues the chain of the one before; start is where the chain begins then,
// and what comes before the first line is taken on trust if start is nil.
func CheckAudit(r io.Reader, start *Chain, each func(Entry)) (Chain, error) {
	var at Chain
	if start != nil {
		at = *start
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	for first := start == nil; lines.Scan(); first = false {
		e, err := parseEntry(lines.Bytes())
		if first && err == nil {
			at = Chain{Lines: e.N - 1, Hash: e.Before}
		}
		switch {
		case err != nil:
			return at, fmt.Errorf("line %d of the audit log was changed: %w", at.Lines+1, err)
		case e.N != at.Lines+1 || e.Before != at.Hash:
			return at, fmt.Errorf("line %d of the audit log does not follow line %d: something was taken out, put in or moved", e.N, at.Lines)
		}
		at = Chain{Lines: e.N, Hash: e.Hash}
		each(e)
	}
	return at, lines.Err()
}

// parseEntry reads a line and checks its hash.
func parseEntry(line []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return e, fmt.Errorf("it cannot be read: %w", err)
	}
	again, _ := e.seal(e.Before)
	if !bytes.Equal(bytes.TrimSuffix(again, []byte("\n")), line) {
		return e, fmt.Errorf("its hash does not fit")
	}
	return e, nil
}
