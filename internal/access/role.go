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

// grant is a row of the table: the permission's name, the least role that has
// it, and whether it takes a person. A stolen token must not be able to make itself
// permanent, or to lock its owner out.
type grant struct {
	name   string
	least  Role
	person bool
}

// table says who may do what. A permission without a row is nobody's.
var table = [permissions]grant{
	SeeRoom:          {name: "see-room", least: Viewer},
	SeeSite:          {name: "see-site", least: Viewer},
	SwitchRelay:      {name: "switch-relay", least: Operator},
	AcknowledgeAlert: {name: "acknowledge-alert", least: Operator},
	EditSchedule:     {name: "edit-schedule", least: Operator},
	EditRule:         {name: "edit-rule", least: Operator},
	CorrectEnergy:    {name: "correct-energy", least: Operator},
	ExportData:       {name: "export-data", least: Operator},
	EditDevice:       {name: "edit-device", least: Admin},
	EditSettings:     {name: "edit-settings", least: Admin},
	EraseData:        {name: "erase-data", least: Admin},
	ManageNodes:      {name: "manage-nodes", least: Admin},
	ReadAudit:        {name: "read-audit", least: Admin},
	ManageAccounts:   {name: "manage-accounts", least: Admin, person: true},
	ManageOwn:        {name: "manage-own", least: Viewer, person: true},
}

// String returns the permission's name in API and documents.
func (want Permission) String() string {
	if want >= permissions {
		return ""
	}
	return table[want].name
}

// Least returns the least role that has the permission, and whether only a
// person may have it, and no token.
func (want Permission) Least() (least Role, person bool) {
	if want >= permissions {
		return NoRole, false
	}
	return table[want].least, table[want].person
}

// Permissions returns all that p may do.
func (p Principal) Permissions() []Permission {
	var may []Permission
	for want := Permission(1); want < permissions; want++ {
		if p.May(want) {
			may = append(may, want)
		}
	}
	return may
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
