package access

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// NewToken is what an API token is made of. It may do no more than whoever
// makes it.
type NewToken struct {
	Label      string
	Role       Role
	Rooms      []string
	Everywhere bool
	// Expires is when it ends; zero for never.
	Expires time.Time
}

// TokenInfo is a token as it is shown.
type TokenInfo struct {
	ID         string
	Account    string
	Label      string
	Role       Role
	Rooms      []string
	Everywhere bool
	Made       time.Time
	Used       time.Time // zero: never
	Expires    time.Time // zero: never
}

const maxLabel = 64

// MakeToken makes a token and returns its secret, this once.
func (p *People) MakeToken(by Principal, n NewToken) (secret string, info TokenInfo, err error) {
	label := strings.TrimSpace(n.Label)
	if label == "" || len(label) > maxLabel {
		return "", info, smartmeter.NewError(smartmeter.Invalid, "label", fmt.Sprintf("say what the token is for, in 1 to %d characters", maxLabel))
	}
	if n.Role > by.Role {
		return "", info, smartmeter.NewError(smartmeter.Denied, "role", "must not be above your own, "+by.Role.String())
	}
	if !n.Expires.IsZero() && !n.Expires.After(time.Now()) {
		return "", info, smartmeter.NewError(smartmeter.Invalid, "expires", "must be in the future")
	}
	s, err := newScope(n.Role, n.Rooms, n.Everywhere)
	if err != nil {
		return "", info, err
	}
	secret = tokenPrefix + newSecret()
	key, now := digest(secret), time.Now().UTC()
	made := token{scope: s, Account: by.Name, Label: label, Made: now, Expires: n.Expires}
	p.note(by, "make-token", publicID(key)+" as "+s.Role)
	err = p.change(func(b *book) error {
		if _, known := b.Accounts[by.Name]; !known {
			return errNoAccount
		}
		if countOf(b.Tokens, ownerOfToken, by.Name) >= maxTokens {
			return smartmeter.NewError(smartmeter.Conflict, "", fmt.Sprintf("you have %d tokens, and no more are possible: end some", maxTokens))
		}
		b.Tokens[key] = made
		return nil
	})
	if err != nil {
		return "", info, err
	}
	return secret, p.showToken(key, made), nil
}

func countOf[V any](m map[string]V, owner func(V) string, name string) (n int) {
	for _, v := range m {
		if owner(v) == name {
			n++
		}
	}
	return n
}

// Token returns whose token a secret is; ok is false for nobody's.
func (p *People) Token(secret string, from netip.Addr) (who Principal, ok bool) {
	if !strings.HasPrefix(secret, tokenPrefix) {
		return Principal{}, false
	}
	return p.tokenAt(digest(secret), from)
}

func (p *People) tokenAt(key string, from netip.Addr) (Principal, bool) {
	b := p.book.Load()
	t, known := b.Tokens[key]
	if !known || t.expired(time.Now()) {
		return Principal{}, false
	}
	a, known := b.Accounts[t.Account]
	if !known {
		return Principal{}, false
	}
	p.touch(key)
	who := a.principal(Token, t.Account, key).confinedTo(t.scope)
	who.From = from
	return who, true
}

// confinedTo takes away what s does not have: an owner who loses rights takes
// them from their tokens.
func (p Principal) confinedTo(s scope) Principal {
	role, _ := ParseRole(s.Role)
	rooms, everywhere := s.Rooms, s.Everywhere
	if !p.everywhere() {
		if everywhere {
			rooms = p.Rooms
		} else {
			rooms = slices.DeleteFunc(slices.Clone(rooms), func(room string) bool { return !slices.Contains(p.Rooms, room) })
		}
		everywhere = false
	}
	p.Role, p.Rooms, p.Everywhere = min(p.Role, role), rooms, everywhere
	return p
}

func (t token) expired(now time.Time) bool { return !t.Expires.IsZero() && !now.Before(t.Expires) }

func tokensOf(b *book) map[string]token { return b.Tokens }

// Tokens lists the tokens that have not expired: one's own, or everybody's.
func (p *People) Tokens(by Principal, everybody bool) []TokenInfo {
	var list []TokenInfo
	for key, t := range p.book.Load().Tokens {
		if !t.expired(time.Now()) && (everybody || t.Account == by.Name) {
			list = append(list, p.showToken(key, t))
		}
	}
	slices.SortFunc(list, func(a, b TokenInfo) int { return a.Made.Compare(b.Made) })
	return list
}

func (p *People) showToken(key string, t token) TokenInfo {
	role, _ := ParseRole(t.Role)
	return TokenInfo{
		ID: publicID(key), Account: t.Account, Label: t.Label, Role: role, Rooms: t.Rooms, Everywhere: t.Everywhere,
		Made: t.Made, Used: p.lastUse(key, t.Used), Expires: t.Expires,
	}
}

// EndToken revokes a token: one's own, or with ManageAccounts anybody's. It
// opens nothing any more when EndToken returns.
func (p *People) EndToken(by Principal, id string) error {
	return endOne(p, by, id, "end-token", tokensOf, ownerOfToken)
}
