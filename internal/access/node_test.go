package access

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
)

// gate is a registry of nodes whose clock a test moves.
type gate struct {
	t     *testing.T
	files disk.FS
	now   time.Time
	*Nodes
}

func newGate(t *testing.T, files disk.FS) *gate {
	t.Helper()
	g := &gate{t: t, files: files, now: time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)}
	g.reopen()
	return g
}

func (g *gate) reopen() {
	g.t.Helper()
	nodes, err := OpenNodes(g.files, func() time.Time { return g.now })
	if err != nil {
		g.t.Fatal(err)
	}
	g.Nodes = nodes
}

// says returns how the door answers: the kind of principal, or the reason.
func (g *gate) says(a Attempt) string {
	g.t.Helper()
	who, err := g.Enter(a)
	if refused, ok := errors.AsType[*NodeRefusal](err); ok {
		if who.Kind != Nobody {
			g.t.Errorf("a node that is refused is %v", who)
		}
		return refused.Reason
	}
	if err != nil {
		g.t.Fatal(err)
	}
	if who.Name != string(a.ID) {
		g.t.Errorf("%s is taken for %v", a.ID, who)
	}
	return who.Kind.String()
}

func (g *gate) want(what string, a Attempt, want string) {
	g.t.Helper()
	if got := g.says(a); got != want {
		g.t.Errorf("%s: %s, want %s", what, got, want)
	}
}

func (g *gate) mustPair(id smartmeter.NodeID) (user string) {
	g.t.Helper()
	secret, _, err := g.BeginPairing(id, AtConsole())
	if err != nil {
		g.t.Fatal(err)
	}
	return smartmeter.PairingCode{Secret: secret}.User()
}

var ownSecret = []byte("a-secret-of-256-bits-in-base-64-------------")

func TestS7ClaimingTakesAPerson(t *testing.T) {
	g := newGate(t, faultdisk.New(1))
	g.want("a stranger", Attempt{ID: "a"}, "not_accepted")
	g.want("a stranger with a password", Attempt{ID: "a", User: "a", Password: ownSecret, Encrypted: true}, "not_accepted")
	g.want("a stranger who made a code up", Attempt{ID: "a", User: "pair-000000000000", Password: ownSecret, Encrypted: true}, "bad_code")
	for _, id := range []smartmeter.NodeID{"", "+", "#", "..", "a/b", "ä", smartmeter.NodeID(strings.Repeat("x", 65))} {
		g.want("no id of a node", Attempt{ID: id}, "bad_id")
		if g.Accept(id, AtConsole()) == nil {
			t.Errorf("%q was accepted", id)
		}
	}
	if len(g.List()) != 0 {
		t.Error("knocking made a record")
	}
}

func TestS7NodesWithoutLoginComeUnencryptedOnly(t *testing.T) {
	g := newGate(t, faultdisk.New(1))
	if err := g.Accept("a", AtConsole()); err != nil {
		t.Fatal(err)
	}
	g.want("plain", Attempt{ID: "a"}, "unprotected")
	g.want("plain, with a password of whatever kind", Attempt{ID: "a", User: "x", Password: []byte("y")}, "unprotected")
	g.want("encrypted", Attempt{ID: "a", Encrypted: true}, "needs_login")
	g.want("another", Attempt{ID: "b"}, "not_accepted")
	g.want("another in capitals", Attempt{ID: "A"}, "not_accepted")
}

func TestS7LoginsAreForOneNode(t *testing.T) {
	g := newGate(t, faultdisk.New(1))
	a, _ := g.MakeLogin("a", AtConsole())
	b, _ := g.MakeLogin("b", AtConsole())
	if len(a) < 26 || a == b {
		t.Errorf("passwords %q, %q", a, b)
	}
	g.want("its own", Attempt{ID: "a", User: "a", Password: []byte(a), Encrypted: true}, "node")
	g.want("its own, unencrypted", Attempt{ID: "a", User: "a", Password: []byte(a)}, "node")
	g.want("another's", Attempt{ID: "a", User: "b", Password: []byte(b), Encrypted: true}, "wrong_password")
	g.want("none", Attempt{ID: "a"}, "wrong_password")
	g.want("its hash", Attempt{ID: "a", Password: []byte(g.List()[0].SecretSHA256)}, "wrong_password")
}

func TestS7PairingCodesAreGoodOnceAndForTenMinutes(t *testing.T) {
	g := newGate(t, faultdisk.New(1))
	user := g.mustPair("")
	node := Attempt{ID: "a", User: user, Password: ownSecret, Encrypted: true}
	plain, short := node, node
	plain.Encrypted, short.Password = false, ownSecret[:21]
	g.want("unencrypted", plain, "needs_encryption")
	g.want("with a secret that can be guessed", short, "wrong_password")
	g.want("as told", node, "node")
	g.want("again, for it did not hear the answer", node, "node")
	g.reopen()
	g.want("from now on", Attempt{ID: "a", User: "a", Password: ownSecret, Encrypted: true}, "node")
	g.want("unencrypted from now on", Attempt{ID: "a", User: "a", Password: ownSecret}, "needs_encryption")
	g.want("without its secret", Attempt{ID: "a", User: "a", Encrypted: true}, "wrong_password")
	stolen := node
	stolen.Password = []byte(strings.Repeat("z", 40))
	g.want("somebody who saw the code, as it", stolen, "bad_code")
	stolen.ID = "b"
	g.want("somebody who saw the code", stolen, "bad_code")

	late := g.mustPair("")
	g.now = g.now.Add(claimTime)
	g.want("after ten minutes", Attempt{ID: "c", User: late, Password: ownSecret, Encrypted: true}, "bad_code")
}

func TestS7PairingTakesNoNodesPlace(t *testing.T) {
	g := newGate(t, faultdisk.New(1))
	g.MakeLogin("login", AtConsole())
	g.Accept("old", AtConsole())
	for _, id := range []smartmeter.NodeID{"login", "old"} {
		g.want("a code for any node", Attempt{ID: id, User: g.mustPair(""), Password: ownSecret, Encrypted: true}, "id_taken")
	}
	forOld := g.mustPair("old")
	g.want("a code for another node", Attempt{ID: "new", User: forOld, Password: ownSecret, Encrypted: true}, "bad_code")
	g.want("the sketch that was replaced", Attempt{ID: "old", User: forOld, Password: ownSecret, Encrypted: true}, "node")
	g.want("its old self", Attempt{ID: "old"}, "needs_encryption")
	if _, _, err := g.BeginPairing("login", AtConsole()); smartmeter.CodeOf(err) != smartmeter.Conflict {
		t.Errorf("a code for a node that has a login: %v", err)
	}
}

func TestS7RevokedNodesStayOut(t *testing.T) {
	g := newGate(t, faultdisk.New(1))
	password, _ := g.MakeLogin("a", AtConsole())
	g.Accept("b", AtConsole())
	pair := Attempt{ID: "c", User: g.mustPair(""), Password: ownSecret, Encrypted: true}
	g.want("pairing", pair, "node")
	for _, id := range []smartmeter.NodeID{"a", "b", "c"} {
		if err := g.Revoke(id, Principal{Kind: Person, Name: "anna"}); err != nil {
			t.Fatal(err)
		}
		if err := g.Revoke(id, AtConsole()); smartmeter.CodeOf(err) != smartmeter.NotFound {
			t.Errorf("revoked twice: %v", err)
		}
	}
	g.reopen()
	g.want("a login", Attempt{ID: "a", User: "a", Password: []byte(password), Encrypted: true}, "revoked")
	g.want("without one", Attempt{ID: "b"}, "revoked")
	g.want("paired", Attempt{ID: "c", User: "c", Password: ownSecret, Encrypted: true}, "revoked")
	g.want("by its old code", pair, "bad_code")
	if r := g.List()[0]; r.RevokedBy != "person anna" || r.RevokedAt != g.now || r.SecretSHA256 != "" {
		t.Errorf("%+v", r)
	}
	g.want("accepted anew", Attempt{ID: "c", User: g.mustPair(""), Password: ownSecret, Encrypted: true}, "node")
}

// TestS5NoSecretIsKept looks for what nodes come in with, in the file.
func TestS5NoSecretIsKept(t *testing.T) {
	dir := t.TempDir()
	files, err := disk.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	g := newGate(t, files)
	password, _ := g.MakeLogin("a", AtConsole())
	user := g.mustPair("")
	g.want("pairing", Attempt{ID: "b", User: user, Password: ownSecret, Encrypted: true}, "node")
	path := filepath.Join(dir, nodesName)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{password, user, strings.TrimPrefix(user, "pair-"), string(ownSecret)} {
		if strings.Contains(string(text), secret) {
			t.Errorf("%q is in the file", secret)
		}
	}
	if about, err := os.Stat(path); err != nil || about.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", about.Mode(), err)
	}
}

// TestS7WhatIsSaidIsDurable cuts the power at every step of accepting a node.
func TestS7WhatIsSaidIsDurable(t *testing.T) {
	for cut := 1; ; cut++ {
		files := faultdisk.New(uint64(cut))
		g := newGate(t, files)
		if err := g.Accept("before", AtConsole()); err != nil {
			t.Fatal(err)
		}
		files.CrashAfter(cut)
		err := g.Accept("a", AtConsole())
		if _, entered := g.Enter(Attempt{ID: "a"}); (entered == nil) != (err == nil) {
			t.Errorf("cut %d: accepting it says %v, and the door %v", cut, err, entered)
		}
		after := newGate(t, files.Crash())
		after.want("the node before", Attempt{ID: "before"}, "unprotected")
		if err == nil {
			after.want("the node", Attempt{ID: "a"}, "unprotected")
			return
		}
	}
}

func TestS9ADamagedListOfNodesIsSaid(t *testing.T) {
	for _, text := range []string{"", "x", "[]", `{"nodes":[{"id":"a","kind":"paired"}]}`, `{"nodes":[{"id":"+","kind":"unprotected"}]}`, `{"nodes":[{"id":"a","kind":"admin"}]}`} {
		files := faultdisk.New(1)
		if err := disk.ReplaceFile(files, nodesName, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenNodes(files, nil); err == nil || !strings.Contains(err.Error(), "restore it from a backup") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestS7KnocksAreListedWhileSomebodyLooks(t *testing.T) {
	g := newGate(t, faultdisk.New(1))
	from := netip.MustParseAddr("192.168.1.9")
	g.says(Attempt{ID: "early", From: from})
	if knocks, until := g.Knocks(); len(knocks) != 0 || !until.IsZero() {
		t.Errorf("%v until %v before anybody asked", knocks, until)
	}
	g.OpenWindow()
	for range 3 {
		g.says(Attempt{ID: "a", From: from})
		g.now = g.now.Add(time.Second)
	}
	g.says(Attempt{ID: "b", From: from, Encrypted: true, User: "b", Password: ownSecret})
	knocks, until := g.Knocks()
	if len(knocks) != 2 || knocks[0].ID != "b" || knocks[1].Count != 3 || knocks[1].Last.Sub(knocks[1].First) != 2*time.Second || knocks[1].Why.Reason != "not_accepted" {
		t.Errorf("%+v", knocks)
	}
	if strings.Contains(fmt.Sprintf("%+v", knocks), string(ownSecret)) {
		t.Error("a password is in the list")
	}
	g.now = until
	if knocks, _ := g.Knocks(); len(knocks) != 0 {
		t.Errorf("after the window: %v", knocks)
	}
	if g.OpenWindow(); len(g.Nodes.knocks) != 0 {
		t.Error("the next window begins with the knocks of the last")
	}
}

// TestS17AFloodOfKnocksTakesLittle knocks with 100,000 ids from one address and
// from many. The node that somebody waits for stays in the list of one flood.
func TestS17AFloodOfKnocksTakesLittle(t *testing.T) {
	g := newGate(t, faultdisk.New(1))
	g.OpenWindow()
	g.says(Attempt{ID: "wanted", From: netip.MustParseAddr("192.168.1.9")})
	flood := netip.MustParseAddr("192.168.1.66")
	for i := range 100_000 {
		g.says(Attempt{ID: smartmeter.NodeID(strings.Repeat("x", 200) + fmt.Sprint(i)), From: flood})
		g.says(Attempt{ID: smartmeter.NodeID(fmt.Sprint("flood", i)), From: flood})
	}
	knocks, _ := g.Knocks()
	if len(knocks) != maxKnocksOfOne+1 || knocks[len(knocks)-1].ID != "wanted" {
		t.Errorf("%d knocks, first %v", len(knocks), knocks[len(knocks)-1])
	}
	for i := range 10_000 {
		g.says(Attempt{ID: "x", From: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})})
	}
	if knocks, _ := g.Knocks(); len(knocks) != maxKnocks {
		t.Errorf("%d knocks", len(knocks))
	}
	for range 2 * maxPairings {
		g.BeginPairing("", AtConsole())
	}
	if len(g.pairings) != maxPairings {
		t.Errorf("%d codes wait", len(g.pairings))
	}
}
