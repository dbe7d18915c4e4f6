package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

const (
	accountsName = "access.json"
	// maxAccounts bounds the file, in bytes: with all that the limits in
	// account.go allow it has some 3 MB.
	maxAccountsFile = 8 << 20
	fileVersion     = 1
)

// book is all that is kept, as it is in the file. It is never changed: a change
// makes another. Secrets are not in it, only what they are recognised by;
// sessions, devices and tokens go by the digest of their secret.
type book struct {
	Version  int                `json:"version"`
	Accounts map[string]account `json:"accounts"`
	Sessions map[string]session `json:"sessions"`
	Devices  map[string]device  `json:"devices"`
	Tokens   map[string]token   `json:"tokens"`
	// Audit is a line of the audit log that is durable: whatever comes before
	// it cannot be missing.
	Audit Chain `json:"audit"`
}

// scope is what an account or a token may do and see.
type scope struct {
	Role       string   `json:"role"`
	Rooms      []string `json:"rooms,omitempty"`
	Everywhere bool     `json:"everywhere"`
}

type account struct {
	scope
	Password string    `json:"password"` // argon2id
	Made     time.Time `json:"made"`
}

type session struct {
	Account string     `json:"account"`
	Made    time.Time  `json:"made"`
	Used    time.Time  `json:"used"` // to the hour or so
	From    netip.Addr `json:"from,omitzero"`
	Agent   string     `json:"agent,omitempty"` // what the browser calls itself
}

// device is a browser that has logged in before.
type device struct {
	Account string     `json:"account"`
	Used    time.Time  `json:"used"`
	From    netip.Addr `json:"from,omitzero"`
}

type token struct {
	scope
	Account string    `json:"account"`
	Label   string    `json:"label"`
	Made    time.Time `json:"made"`
	Used    time.Time `json:"used,omitzero"`
	Expires time.Time `json:"expires,omitzero"` // zero: never
}

func (b *book) clone() *book {
	return &book{
		Version: fileVersion, Audit: b.Audit,
		Accounts: cloned(b.Accounts), Sessions: cloned(b.Sessions), Devices: cloned(b.Devices), Tokens: cloned(b.Tokens),
	}
}

func cloned[V any](m map[string]V) map[string]V {
	if m == nil {
		return make(map[string]V)
	}
	return maps.Clone(m)
}

// removeOf drops whatever of m belongs to an account, except the one at keep.
func removeOf[V any](m map[string]V, owner func(V) string, name, keep string) {
	maps.DeleteFunc(m, func(key string, v V) bool { return owner(v) == name && key != keep })
}

// bound drops the account's least recently used of m until at most n are left.
func bound[V any](m map[string]V, owner func(V) string, used func(V) time.Time, name string, n int) {
	var keys []string
	for key, v := range m {
		if owner(v) == name {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return used(m[b]).Compare(used(m[a])) })
	for _, key := range keys[min(n, len(keys)):] {
		delete(m, key)
	}
}

func ownerOfSession(s session) string { return s.Account }
func ownerOfDevice(d device) string   { return d.Account }
func ownerOfToken(t token) string     { return t.Account }

func readBook(files disk.FS) (*book, error) {
	text, err := disk.ReadFile(files, accountsName, maxAccountsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return (&book{}).clone(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", accountsName, err)
	}
	var b book
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&b); err != nil {
		// Not the text: hashes are in it.
		return nil, fmt.Errorf("%s cannot be read; put it back from a backup, or move it away to begin with a new first account: %w", accountsName, err)
	}
	if b.Version != fileVersion {
		return nil, fmt.Errorf("%s has version %d; this program knows %d: use a newer one", accountsName, b.Version, fileVersion)
	}
	return b.clone(), nil
}

func (b *book) write(files disk.FS) error {
	text, err := json.MarshalIndent(b, "", "\t")
	if err != nil {
		return err
	}
	if err := disk.ReplaceFile(files, accountsName, append(text, '\n')); err != nil {
		return fmt.Errorf("write %s: %w", accountsName, err)
	}
	return nil
}
