package access

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// How long a session lasts: unused, and at most. A wall display that is looked
// at stays; whoever leaves for good does not.
const (
	SessionIdle = 30 * 24 * time.Hour
	SessionLife = 180 * 24 * time.Hour
)

// Session returns whose session a secret opens; ok is false for nobody's.
func (p *People) Session(secret string, from netip.Addr) (who Principal, ok bool) {
	return p.sessionAt(digest(secret), from)
}

func (p *People) sessionAt(key string, from netip.Addr) (Principal, bool) {
	b := p.book.Load()
	s, known := b.Sessions[key]
	if !known || !s.holds(time.Now(), p.lastUse(key, s.Used)) {
		return Principal{}, false
	}
	a, known := b.Accounts[s.Account]
	if !known {
		return Principal{}, false
	}
	p.touch(key)
	who := a.principal(Person, s.Account, key)
	who.From = from
	return who, true
}

// holds reports whether the session is not over. A clock that is behind ends
// nothing.
func (s session) holds(now, used time.Time) bool {
	return now.Sub(used) < SessionIdle && now.Sub(s.Made) < SessionLife
}

func (s scope) principal(kind Kind, name, key string) Principal {
	role, _ := ParseRole(s.Role)
	return Principal{Kind: kind, Name: name, ID: publicID(key), key: key, Role: role, Rooms: s.Rooms, Everywhere: s.Everywhere}
}

// Again returns what who may do now, for requests that last; ok is false if
// their session or token has ended.
func (p *People) Again(who Principal) (now Principal, ok bool) {
	switch who.Kind {
	case Person:
		return p.sessionAt(who.key, who.From)
	case Token:
		return p.tokenAt(who.key, who.From)
	default:
		return who, who.Kind == Console
	}
}

// SessionInfo is a session as it is shown.
type SessionInfo struct {
	ID         string
	Account    string
	Made, Used time.Time
	From       netip.Addr
	Agent      string
	// Own is set on the session that asks.
	Own bool
}

// Sessions lists the sessions that are not over: one's own, or everybody's.
func (p *People) Sessions(by Principal, everybody bool) []SessionInfo {
	b := p.book.Load()
	var list []SessionInfo
	for key, s := range b.Sessions {
		used := p.lastUse(key, s.Used)
		if !s.holds(time.Now(), used) || !everybody && s.Account != by.Name {
			continue
		}
		list = append(list, SessionInfo{publicID(key), s.Account, s.Made, used, s.From, s.Agent, key == by.key})
	}
	slices.SortFunc(list, func(a, b SessionInfo) int { return b.Used.Compare(a.Used) })
	return list
}

// EndSession ends a session: one's own, or with ManageAccounts anybody's. It is
// over when EndSession returns.
func (p *People) EndSession(by Principal, id string) error {
	return endOne(p, by, id, "end-session", func(b *book) map[string]session { return b.Sessions }, ownerOfSession)
}

// LogOut ends the session, or gives back the token, that who came with.
func (p *People) LogOut(who Principal) error {
	if who.Kind == Token {
		return endOne(p, who, who.ID, "end-token", tokensOf, ownerOfToken)
	}
	return endOne(p, who, who.ID, "logout", func(b *book) map[string]session { return b.Sessions }, ownerOfSession)
}

// endOne removes what has the public id from a map of the book.
func endOne[V any](p *People, by Principal, id, did string, of func(*book) map[string]V, owner func(V) string) error {
	find := func(b *book) (key string, ok bool) {
		for key, v := range of(b) {
			if publicID(key) == id && (owner(v) == by.Name || by.May(ManageAccounts)) {
				return key, true
			}
		}
		return "", false
	}
	key, ok := find(p.book.Load())
	if !ok {
		return smartmeter.NewError(smartmeter.NotFound, "id", "there is none with this id; it may have ended")
	}
	p.note(by, did, strings.TrimSpace(id+" of "+owner(of(p.book.Load())[key])))
	return p.revoke(func(b *book) error {
		delete(of(b), key)
		return nil
	})
}

// touch notes that a session or a token is in use.
func (p *People) touch(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used[key] = time.Now().UTC()
}

// lastUse is the later of what is known and what is in the file.
func (p *People) lastUse(key string, kept time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if used := p.used[key]; used.After(kept) {
		return used
	}
	return kept
}

// noteUse takes the times of use into a book, and forgets what is over.
func (p *People) noteUse(b *book) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for key, used := range p.used {
		if s, ok := b.Sessions[key]; ok {
			s.Used = used
			b.Sessions[key] = s
		} else if t, ok := b.Tokens[key]; ok {
			t.Used = used
			b.Tokens[key] = t
		} else {
			delete(p.used, key)
		}
	}
	for key, s := range b.Sessions {
		if !s.holds(now, s.Used) {
			delete(b.Sessions, key)
		}
	}
	for key, t := range b.Tokens {
		if t.expired(now) {
			delete(b.Tokens, key)
		}
	}
}

// saveUse keeps when sessions and tokens were used last, if any was.
func (p *People) saveUse() {
	p.mu.Lock()
	nothing := len(p.used) == 0
	p.mu.Unlock()
	if nothing {
		return
	}
	if err := p.change(func(*book) error { return nil }); err != nil {
		p.log.Error("when sessions were used last is not kept", "err", err)
	}
}
