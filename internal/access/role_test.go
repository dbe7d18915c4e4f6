package access

import (
	"fmt"
	"testing"
)

// TestS16RolesMayWhatTheTableSays spells the table out a second time, by hand:
// whoever changes it has to mean it.
func TestS16RolesMayWhatTheTableSays(t *testing.T) {
	const viewer, operator, admin = "vOA", "-OA", "--A"
	want := map[Permission]string{
		SeeRoom: viewer, SeeSite: viewer, ManageOwn: viewer,
		SwitchRelay: operator, AcknowledgeAlert: operator, EditSchedule: operator, EditRule: operator,
		CorrectEnergy: operator, ExportData: operator,
		EditDevice: admin, EditSettings: admin, EraseData: admin, ManageNodes: admin, ReadAudit: admin, ManageAccounts: admin,
	}
	if len(want) != int(permissions)-1 {
		t.Fatalf("the test knows %d permissions of %d", len(want), permissions-1)
	}
	for permission, roles := range want {
		for i, role := range []Role{Viewer, Operator, Admin} {
			p := Principal{Kind: Person, Role: role, Everywhere: true}
			if got, want := p.May(permission), roles[i] != '-'; got != want {
				t.Errorf("%v, permission %d: %v, want %v", role, permission, got, want)
			}
		}
	}
}

func TestS16WhatIsNotListedIsDenied(t *testing.T) {
	for kind := range Kind(20) {
		for role := range Role(20) {
			p := Principal{Kind: kind, Role: role, Everywhere: true}
			if p.May(0) || p.May(permissions) || p.May(255) {
				t.Errorf("%v with role %d has a permission that does not exist", kind, role)
			}
			if known := role >= Viewer && role < roles; known && kind.human() {
				continue
			}
			for permission := range permissions {
				if p.May(permission) || p.Sees("kitchen") {
					t.Errorf("%v with role %d has permission %d", kind, role, permission)
				}
			}
		}
	}
}

func TestS16TokensCannotMakeThemselvesPermanent(t *testing.T) {
	token := Principal{Kind: Token, Role: Admin, Everywhere: true}
	for permission := Permission(1); permission < permissions; permission++ {
		want := permission != ManageAccounts && permission != ManageOwn
		if got := token.May(permission); got != want {
			t.Errorf("permission %d: %v, want %v", permission, got, want)
		}
	}
}

func TestS16ViewersSeeTheirRoomsOnly(t *testing.T) {
	tests := []struct {
		name string
		p    Principal
		room string
		want bool
	}{
		{"one of their rooms", Principal{Kind: Person, Role: Viewer, Rooms: []string{"attic", "hall"}}, "hall", true},
		{"another room", Principal{Kind: Person, Role: Viewer, Rooms: []string{"attic"}}, "hall", false},
		{"another spelling", Principal{Kind: Person, Role: Viewer, Rooms: []string{"attic"}}, "Attic", false},
		{"no rooms", Principal{Kind: Person, Role: Viewer}, "hall", false},
		{"devices without a room", Principal{Kind: Person, Role: Viewer, Rooms: []string{"attic"}}, "", false},
		{"everywhere", Principal{Kind: Token, Role: Viewer, Everywhere: true}, "hall", true},
		{"an operator", Principal{Kind: Person, Role: Operator, Rooms: []string{"attic"}}, "hall", true},
		{"the console", AtConsole(), "hall", true},
		{"a node", Principal{Kind: Node, Name: "hall", Role: Admin, Everywhere: true}, "hall", false},
		{"nobody", Principal{}, "hall", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.p.Sees(test.room); got != test.want {
				t.Errorf("sees %q: %v", test.room, got)
			}
		})
	}
	if (Principal{Kind: Person, Role: Viewer, Rooms: []string{"attic"}}).May(SeeSite) {
		t.Error("a viewer of one room sees the totals of the house")
	}
}

func TestRolesAreReadAsTheyAreWritten(t *testing.T) {
	for role := Viewer; role < roles; role++ {
		if got, ok := ParseRole(fmt.Sprint(role)); !ok || got != role {
			t.Errorf("%v is read as %v, %v", role, got, ok)
		}
	}
	for _, s := range []string{"", "none", "Admin", "root", "admin "} {
		if got, ok := ParseRole(s); ok {
			t.Errorf("%q is read as %v", s, got)
		}
	}
}
