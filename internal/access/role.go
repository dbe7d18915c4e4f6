package access

import "slices"

// Role is what a person or a token is trusted with. The zero value is trusted
// with nothing.
type Role uint8

// The roles. Each may do all that the ones before it may.
const (
	NoRole   Role = iota
	Viewer        // looks, at the rooms they were given
	Operator      // switches, too, and plans
	Admin         // decides who may do what
	roles         // how many there are
)

// String returns the role's name in file, API and log.
func (r Role) String() string {
	switch r {
	case Viewer:
		return "viewer"
	case Operator:
		return "operator"
	case Admin:
		return "admin"
	default:
		return "none"
	}
}

// ParseRole reads what String returns; ok is false for anything else, "none"
// included.
func ParseRole(s string) (r Role, ok bool) {
	for r := Viewer; r < roles; r++ {
		if r.String() == s {
			return r, true
		}
	}
	return NoRole, false
}

// Permission is one thing that may be allowed.
type Permission uint8

// The permissions.
const (
	_                Permission = iota
	SeeRoom                     // devices, readings, energy and events of the rooms one sees
	SeeSite                     // the house as a whole: totals, health, metrics
	SwitchRelay                 // relays, leases
	AcknowledgeAlert            // say that one has seen it
	EditSchedule                // schedules
	EditRule                    // rules and whom they notify
	CorrectEnergy               // the ledger's journal
	EditDevice                  // names, rooms, kinds, parents, limits
	EditSettings                // the site: zone, currency, prices
	ExportData                  // everything measured, as a file
	EraseData                   // for good
	ManageNodes                 // pair, accept, revoke
	ReadAudit                   // the audit log
	ManageAccounts              // accounts, their roles, sessions and tokens
	ManageOwn                   // one's own password, sessions and tokens
	permissions                 // how many there are
)

// grant is a row of the table: the least role that has the permission, and
// whether it takes a person. A stolen token must not be able to make itself
// permanent, or to lock its owner out.
type grant struct {
	least  Role
	person bool
}

// table says who may do what. A permission without a row is nobody's.
var table = [permissions]grant{
	SeeRoom:          {least: Viewer},
	SeeSite:          {least: Viewer},
	SwitchRelay:      {least: Operator},
	AcknowledgeAlert: {least: Operator},
	EditSchedule:     {least: Operator},
	EditRule:         {least: Operator},
	CorrectEnergy:    {least: Operator},
	ExportData:       {least: Operator},
	EditDevice:       {least: Admin},
	EditSettings:     {least: Admin},
	EraseData:        {least: Admin},
	ManageNodes:      {least: Admin},
	ReadAudit:        {least: Admin},
	ManageAccounts:   {least: Admin, person: true},
	ManageOwn:        {least: Viewer, person: true},
}

// May reports whether p has the permission. For [SeeRoom] it says that p may
// see rooms at all; which ones, [Principal.Sees] says.
func (p Principal) May(want Permission) bool {
	if want == 0 || want >= permissions || !p.Kind.human() || p.Role >= roles {
		return false
	}
	g := table[want]
	if g.least == NoRole || p.Role < g.least || g.person && p.Kind == Token {
		return false
	}
	return want != SeeSite || p.everywhere()
}

// Sees reports whether p may see what is in a room; "" is the room of devices
// that have none.
func (p Principal) Sees(room string) bool {
	return p.May(SeeRoom) && (p.everywhere() || slices.Contains(p.Rooms, room))
}

// everywhere reports whether p sees all rooms; only a viewer can be confined.
func (p Principal) everywhere() bool { return p.Everywhere || p.Role > Viewer }
