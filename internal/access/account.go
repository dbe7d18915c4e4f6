package access

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// How many there may be, so that nothing a client does fills disk or memory.
const (
	maxAccounts = 100
	maxSessions = 20 // of an account; the one unused for longest makes room
	maxDevices  = 20 // of an account, likewise
	maxTokens   = 50 // of an account
)

// PeopleConfig is what OpenPeople needs.
type PeopleConfig struct {
	// Files is the data directory, for access.json and audit.log.
	Files disk.FS
	// Rescue makes a code although there are accounts, for whoever holds the
	// console and has lost the password.
	Rescue bool
	// Logger must not be nil.
	Logger *slog.Logger
}

// People are the accounts of a hub, their sessions and tokens, and the audit
// log. Its methods may be called from several goroutines. Times are this
// machine's.
type People struct {
	files  disk.FS
	log    *slog.Logger
	audit  *auditLog
	hasher *hasher

	// book is replaced as a whole, so that whoever only looks never waits for
	// the disk; changing is held by whoever replaces it.
	book     atomic.Pointer[book]
	changing sync.Mutex

	mu     sync.Mutex // for what follows
	tries  lockout
	missed missed
	used   map[string]time.Time // sessions and tokens by digest
	code   string               // "" for none
}

// OpenPeople reads what is kept in the data directory, which must be nobody
// else's. Close gives it back.
func OpenPeople(cfg PeopleConfig) (*People, error) {
	b, err := readBook(cfg.Files)
	if err != nil {
		return nil, err
	}
	audit, err := openAudit(cfg.Files, b.Audit)
	if err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	p := &People{files: cfg.Files, log: cfg.Logger, audit: audit, hasher: newHasher(), used: make(map[string]time.Time)}
	p.book.Store(b)
	if len(b.Accounts) == 0 || cfg.Rescue {
		p.code = newCode()
	}
	return p, nil
}

// Close saves what is not saved yet.
func (p *People) Close() error {
	p.saveUse()
	return p.audit.close()
}

// How often Run saves.
const (
	auditEvery = 10 * time.Second
	useEvery   = 6 * time.Hour
)

// Run makes the audit log durable every few seconds until ctx ends, and saves
// now and then when sessions and tokens were used last.
func (p *People) Run(ctx context.Context) error {
	audit, use := time.NewTicker(auditEvery), time.NewTicker(useEvery)
	defer audit.Stop()
	defer use.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-audit.C:
			if _, err := p.audit.sync(); err != nil {
				p.log.Error("what people did may be lost", "err", err)
			}
		case <-use.C:
			p.saveUse()
		}
	}
}

// FirstRun reports whether there is no account yet.
func (p *People) FirstRun() bool { return len(p.book.Load().Accounts) == 0 }

// Code returns what SetUp asks for, to be shown on the console; "" if there is
// nothing to set up.
func (p *People) Code() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.code
}

// change replaces the book by one that edit has changed, once that is durable.
// For what takes rights away there is revoke.
func (p *People) change(edit func(*book) error) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	next, err := p.edited(edit)
	if err == nil {
		if err = next.write(p.files); err == nil {
			p.book.Store(next)
		}
	}
	return err
}

// revoke is change with an edit that counts at once, even if it cannot be kept.
func (p *People) revoke(edit func(*book) error) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	next, err := p.edited(edit)
	if err != nil {
		return err
	}
	p.book.Store(next)
	if err := next.write(p.files); err != nil {
		return fmt.Errorf("done, but not for longer than this hub runs: %w", err)
	}
	return nil
}

func (p *People) edited(edit func(*book) error) (*book, error) {
	next := p.book.Load().clone()
	if err := edit(next); err != nil {
		return nil, err
	}
	anchor, err := p.audit.sync()
	if err != nil {
		p.log.Error("what people did may be lost", "err", err)
	} else {
		next.Audit = anchor
	}
	p.noteUse(next)
	return next, nil
}

// nameForm is what account names look like: nothing that could be taken for
// another name.
var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,31}$`)

func foldName(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// NewAccount is what an account is made of.
type NewAccount struct {
	Name, Password string
	Role           Role
	Rooms          []string
	Everywhere     bool
}

// AccountInfo is an account as it is shown.
type AccountInfo struct {
	Name       string
	Role       Role
	Rooms      []string
	Everywhere bool
	Made       time.Time
	// LastSeen is when a session was used last; zero if there is none.
	LastSeen time.Time
}

// Accounts lists all accounts by name.
func (p *People) Accounts() []AccountInfo {
	b := p.book.Load()
	list := make([]AccountInfo, 0, len(b.Accounts))
	for name, a := range b.Accounts {
		role, _ := ParseRole(a.Role)
		info := AccountInfo{Name: name, Role: role, Rooms: a.Rooms, Everywhere: a.Everywhere, Made: a.Made}
		for key, s := range b.Sessions {
			if used := p.lastUse(key, s.Used); s.Account == name && used.After(info.LastSeen) {
				info.LastSeen = used
			}
		}
		list = append(list, info)
	}
	slices.SortFunc(list, func(a, b AccountInfo) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// AddAccount makes an account.
func (p *People) AddAccount(ctx context.Context, by Principal, n NewAccount) error {
	name := foldName(n.Name)
	if _, taken := p.book.Load().Accounts[name]; taken {
		return smartmeter.NewError(smartmeter.Conflict, "name", "there is an account of this name already; choose another")
	}
	made, err := p.makeAccount(ctx, name, n)
	if err != nil {
		return err
	}
	p.note(by, "make-account", name+" as "+made.Role)
	return p.change(func(b *book) error {
		if len(b.Accounts) >= maxAccounts {
			return smartmeter.NewError(smartmeter.Conflict, "", fmt.Sprintf("there are %d accounts, and no more are possible: remove some", maxAccounts))
		}
		b.Accounts[name] = made
		return nil
	})
}

func (p *People) makeAccount(ctx context.Context, name string, n NewAccount) (account, error) {
	if !nameForm.MatchString(name) {
		return account{}, smartmeter.NewError(smartmeter.Invalid, "name", "must have 1 to 32 characters of a-z 0-9 . _ - and begin with a letter or digit")
	}
	s, err := newScope(n.Role, n.Rooms, n.Everywhere)
	if err != nil {
		return account{}, err
	}
	if err := checkPassword("password", name, n.Password); err != nil {
		return account{}, err
	}
	hash, err := p.hasher.hash(ctx, n.Password)
	return account{scope: s, Password: hash, Made: time.Now().UTC()}, err
}

const maxRooms = 50

func newScope(role Role, rooms []string, everywhere bool) (scope, error) {
	if role < Viewer || role >= roles {
		return scope{}, smartmeter.NewError(smartmeter.Invalid, "role", "must be viewer, operator or admin")
	}
	if len(rooms) > maxRooms {
		return scope{}, smartmeter.NewError(smartmeter.Invalid, "rooms", fmt.Sprintf("must be at most %d", maxRooms))
	}
	if everywhere || role > Viewer {
		return scope{Role: role.String(), Everywhere: true}, nil
	}
	return scope{Role: role.String(), Rooms: slices.Clone(rooms)}, nil
}

// AccountChange is what ChangeAccount changes; nil leaves as it is.
type AccountChange struct {
	Role       *Role
	Rooms      *[]string
	Everywhere *bool
	// Password ends the account's sessions and tokens.
	Password *string
}

var (
	errNoAccount = smartmeter.NewError(smartmeter.NotFound, "name", "there is no account of this name")
	errLastAdmin = smartmeter.NewError(smartmeter.Conflict, "", "this is the only admin: make another one first")
)

// ChangeAccount changes what an account may do, or sets its password.
func (p *People) ChangeAccount(ctx context.Context, by Principal, name string, c AccountChange) error {
	old, known := p.book.Load().Accounts[name]
	if !known {
		return errNoAccount
	}
	hash := ""
	if c.Password != nil {
		if err := checkPassword("password", name, *c.Password); err != nil {
			return err
		}
		var err error
		if hash, err = p.hasher.hash(ctx, *c.Password); err != nil {
			return err
		}
	}
	next, err := old.with(c)
	if err != nil {
		return err
	}
	p.note(by, "change-account", name+" to "+next.Role)
	return p.change(func(b *book) error {
		now, known := b.Accounts[name]
		if !known {
			return errNoAccount
		}
		now.scope = next
		if hash != "" {
			now.Password = hash
			b.logOutAll(name, "")
		}
		b.Accounts[name] = now
		return b.hasAdmin()
	})
}

func (a account) with(c AccountChange) (scope, error) {
	role, _ := ParseRole(a.Role)
	rooms, everywhere := a.Rooms, a.Everywhere
	if c.Role != nil {
		role = *c.Role
	}
	if c.Rooms != nil {
		rooms, everywhere = *c.Rooms, false
	}
	if c.Everywhere != nil {
		everywhere = *c.Everywhere
	}
	return newScope(role, rooms, everywhere)
}

// RemoveAccount removes an account with its sessions and tokens.
func (p *People) RemoveAccount(by Principal, name string) error {
	if _, known := p.book.Load().Accounts[name]; !known {
		return errNoAccount
	}
	p.note(by, "remove-account", name)
	return p.revoke(func(b *book) error {
		delete(b.Accounts, name)
		b.logOutAll(name, "")
		return b.hasAdmin()
	})
}

// hasAdmin refuses a book that nobody could open again.
func (b *book) hasAdmin() error {
	for _, a := range b.Accounts {
		if a.Role == Admin.String() {
			return nil
		}
	}
	return errLastAdmin
}

// logOutAll ends an account's sessions but the one at keep, and forgets its
// devices and tokens.
func (b *book) logOutAll(name, keep string) {
	removeOf(b.Sessions, ownerOfSession, name, keep)
	removeOf(b.Devices, ownerOfDevice, name, "")
	removeOf(b.Tokens, ownerOfToken, name, "")
}
