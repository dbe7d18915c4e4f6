package access

import "net/netip"

// Kind says what a principal is.
type Kind uint8

// The kinds of principals.
const (
	Nobody      Kind = iota
	Console          // whoever holds the machine's console
	Person           // an account, through a session
	Token            // an account's token, in a script
	Node             // a node that has proved its secret
	Unprotected      // a node that cannot; accepted by its id
)

// String returns the kind's name in the audit log.
func (k Kind) String() string {
	switch k {
	case Console:
		return "console"
	case Person:
		return "person"
	case Token:
		return "token"
	case Node:
		return "node"
	case Unprotected:
		return "unprotected"
	default:
		return "nobody"
	}
}

func (k Kind) human() bool { return k == Console || k == Person || k == Token }

func (k Kind) node() bool { return k == Node || k == Unprotected }

// Principal is who does something, and what they may do. The zero value is
// nobody, who may do nothing. It holds no secret.
type Principal struct {
	Kind Kind
	// Name is the account's name, or the node's id. A token goes by its
	// account's.
	Name string
	// ID tells an account's sessions and tokens apart, and is no secret; "" for
	// others.
	ID string
	// key is what a session or a token is found by again.
	key string
	// Role is for people and tokens.
	Role Role
	// Rooms are what a viewer sees, unless Everywhere.
	Rooms      []string
	Everywhere bool
	// From is where the request comes from; the zero value if unknown.
	From netip.Addr
}

// AtConsole returns whoever holds the machine's console, who may do everything.
func AtConsole() Principal {
	return Principal{Kind: Console, Name: "console", Role: Admin, Everywhere: true}
}

// String names p for people, as in "person anna".
func (p Principal) String() string {
	if p.Kind == Nobody || p.Kind == Console {
		return p.Kind.String()
	}
	return p.Kind.String() + " " + p.Name
}
