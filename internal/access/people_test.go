package access

import (
	"log/slog"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
)

var discard = slog.New(slog.DiscardHandler)

const goodPassword = "correct horse battery"

var home = netip.MustParseAddr("192.168.1.20")

// lab is a hub's accounts, on a disk that can be opened again.
type lab struct {
	*People
	t     *testing.T
	files disk.FS
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, files: faultdisk.New(1)}
	l.open()
	t.Cleanup(func() { l.Close() })
	return l
}

func (l *lab) open() {
	l.t.Helper()
	p, err := OpenPeople(PeopleConfig{Files: l.files, Logger: discard})
	if err != nil {
		l.t.Fatal(err)
	}
	l.People = p
}

func (l *lab) reopen() {
	l.t.Helper()
	if err := l.Close(); err != nil {
		l.t.Fatal(err)
	}
	l.open()
}

// withAnna is a hub whose first account is made.
func withAnna(t *testing.T) (*lab, Opened) {
	t.Helper()
	l := newLab(t)
	o, err := l.SetUp(t.Context(), l.Code(), Credentials{Name: "Anna", Password: goodPassword, From: home})
	if err != nil {
		t.Fatal(err)
	}
	return l, o
}

func (l *lab) add(by Principal, n NewAccount) {
	l.t.Helper()
	n.Password = goodPassword
	if err := l.AddAccount(l.t.Context(), by, n); err != nil {
		l.t.Fatal(err)
	}
}

// logIn returns an open session of name, from an address of its own.
func (l *lab) logIn(name, from string) Opened {
	l.t.Helper()
	o, err := l.LogIn(l.t.Context(), Credentials{Name: name, Password: goodPassword, From: netip.MustParseAddr(from)})
	if err != nil {
		l.t.Fatal(err)
	}
	return o
}

func wantCode(t *testing.T, what string, err error, want smartmeter.Code) {
	t.Helper()
	if got := smartmeter.CodeOf(err); got != want {
		t.Errorf("%s: %q (%v), want %q", what, got, err, want)
	}
}

func TestS1FirstAccountNeedsTheCode(t *testing.T) {
	l := newLab(t)
	in := Credentials{Name: "Anna", Password: goodPassword, From: home}
	if !l.FirstRun() {
		t.Fatal("a new hub has an account")
	}
	for _, code := range []string{"", "AAAAA-AAAAA", l.Code()[:9], l.Code() + "A"} {
		_, err := l.SetUp(t.Context(), code, in)
		wantCode(t, "code "+code, err, smartmeter.Denied)
	}
	o, err := l.SetUp(t.Context(), l.Code(), Credentials{Name: " Anna ", Password: goodPassword, From: home})
	if err != nil {
		t.Fatal(err)
	}
	if p := o.Principal; p.Name != "anna" || p.Role != Admin || !p.May(ManageAccounts) {
		t.Errorf("the first account is %+v", p)
	}
	_, err = l.SetUp(t.Context(), "AAAAA-AAAAA", Credentials{Name: "eve", Password: goodPassword})
	wantCode(t, "a second first run", err, smartmeter.Conflict)
	if l.reopen(); l.FirstRun() || l.Code() != "" {
		t.Error("after a restart the hub is to be set up again")
	}
}

func TestS1CodesAreReadAsPeopleTypeThem(t *testing.T) {
	for typed, want := range map[string]string{
		"7k2qm-x9p4c": "7K2QM-X9P4C", "7K2QMX9P4C": "7K2QM-X9P4C", " 7k2qm x9p4c ": "7K2QM-X9P4C",
		"oiloi-loilo": "01101-10110", "short": "", "": "",
	} {
		if got := foldCode(typed); got != want {
			t.Errorf("%q is read as %q, want %q", typed, got, want)
		}
	}
}

// TestS1NoTwoInstallationsShareASecret makes what 10,000 fresh hubs make.
func TestS1NoTwoInstallationsShareASecret(t *testing.T) {
	seen := make(map[string]bool)
	for range 10_000 {
		for _, secret := range []string{newCode(), newSecret(), newSecret()} {
			if seen[secret] || len(secret) < 11 {
				t.Fatalf("%q was made twice, or is short", secret)
			}
			seen[secret] = true
		}
	}
}

func TestRescueMakesAWayIn(t *testing.T) {
	l, old := withAnna(t)
	files := l.files
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	p, err := OpenPeople(PeopleConfig{Files: files, Rescue: true, Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	l.People = p
	if _, err := p.SetUp(t.Context(), p.Code(), Credentials{Name: "anna", Password: "another good one", From: home}); err != nil {
		t.Fatal(err)
	}
	if _, ok := p.Session(old.Session, home); ok {
		t.Error("the session from before the rescue goes on")
	}
	if _, err := p.LogIn(t.Context(), Credentials{Name: "anna", Password: "another good one", From: home}); err != nil {
		t.Error(err)
	}
}

func TestSessionsOutliveARestartAndEndInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, o := withAnna(t)
		l.reopen()
		if who, ok := l.Session(o.Session, home); !ok || who.Name != "anna" || who.From != home {
			t.Fatalf("after a restart: %v, %v", who, ok)
		}
		for range 5 { // in use, it goes on
			time.Sleep(SessionIdle - time.Minute)
			if _, ok := l.Session(o.Session, home); !ok {
				t.Fatal("a session in use ended")
			}
			l.reopen()
		}
		time.Sleep(SessionLife - 5*SessionIdle + 5*time.Minute)
		if _, ok := l.Session(o.Session, home); ok {
			t.Error("a session outlives its life")
		}
		o = l.logIn("anna", "192.168.1.20")
		time.Sleep(SessionIdle)
		if _, ok := l.Session(o.Session, home); ok {
			t.Error("an idle session goes on")
		}
		if got := l.Sessions(o.Principal, true); len(got) != 0 {
			t.Errorf("sessions that are over are listed: %+v", got)
		}
	})
}

func TestSessionsEndWhenTold(t *testing.T) {
	l, anna := withAnna(t)
	l.add(anna.Principal, NewAccount{Name: "ben", Role: Viewer, Everywhere: true})
	one, two := l.logIn("ben", "10.0.0.1"), l.logIn("ben", "10.0.0.2")
	wantCode(t, "ben ends a session of anna's", l.EndSession(one.Principal, anna.Principal.ID), smartmeter.NotFound)
	if err := l.EndSession(one.Principal, two.Principal.ID); err != nil {
		t.Fatal(err)
	}
	if _, ok := l.Session(two.Session, home); ok {
		t.Error("a session that was ended goes on")
	}
	if _, ok := l.Again(two.Principal); ok {
		t.Error("a request of a session that was ended goes on")
	}
	if err := l.EndSession(anna.Principal, one.Principal.ID); err != nil {
		t.Errorf("an admin ends another's session: %v", err)
	}
	if err := l.LogOut(anna.Principal); err != nil {
		t.Fatal(err)
	}
	l.reopen()
	for _, o := range []Opened{anna, one, two} {
		if who, ok := l.Session(o.Session, home); ok {
			t.Errorf("%v is logged in", who)
		}
	}
}

func TestANewPasswordEndsWhatTheOldOneOpened(t *testing.T) {
	l, here := withAnna(t)
	other := l.logIn("anna", "10.0.0.1")
	secret, _, err := l.MakeToken(here.Principal, NewToken{Label: "x", Role: Viewer, Everywhere: true})
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, "a wrong old password", l.ChangePassword(t.Context(), here.Principal, "wrong", "another good one"), smartmeter.Denied)
	wantCode(t, "a short new one", l.ChangePassword(t.Context(), here.Principal, goodPassword, "short"), smartmeter.Invalid)
	if err := l.ChangePassword(t.Context(), here.Principal, goodPassword, "another good one"); err != nil {
		t.Fatal(err)
	}
	if _, ok := l.Session(here.Session, home); !ok {
		t.Error("one's own session ended")
	}
	if _, ok := l.Session(other.Session, home); ok {
		t.Error("the other session goes on")
	}
	if _, ok := l.Token(secret, home); ok {
		t.Error("the token goes on")
	}
	_, err = l.LogIn(t.Context(), Credentials{Name: "anna", Password: goodPassword, From: home})
	wantCode(t, "the old password", err, smartmeter.LoginNeeded)
}

func TestS16TokensDoNoMoreThanTheirOwner(t *testing.T) {
	l, anna := withAnna(t)
	l.add(anna.Principal, NewAccount{Name: "ben", Role: Operator})
	ben := l.logIn("ben", "10.0.0.1").Principal
	_, _, err := l.MakeToken(ben, NewToken{Label: "x", Role: Admin})
	wantCode(t, "a token above its owner", err, smartmeter.Denied)
	secret, info, err := l.MakeToken(ben, NewToken{Label: "script", Role: Operator})
	if err != nil {
		t.Fatal(err)
	}
	who, ok := l.Token(secret, home)
	if !ok || who.Kind != Token || who.Name != "ben" || !who.May(SwitchRelay) || who.May(ManageOwn) {
		t.Errorf("the token is %+v, %v", who, ok)
	}
	viewer, rooms := Viewer, []string{"attic"}
	if err := l.ChangeAccount(t.Context(), anna.Principal, "ben", AccountChange{Role: &viewer, Rooms: &rooms}); err != nil {
		t.Fatal(err)
	}
	if who, _ = l.Again(who); who.May(SwitchRelay) || !who.Sees("attic") || who.Sees("hall") {
		t.Errorf("the owner lost rights, the token did not: %+v", who)
	}
	if err := l.RemoveAccount(anna.Principal, "ben"); err != nil {
		t.Fatal(err)
	}
	if _, ok := l.Token(secret, home); ok {
		t.Error("the owner is gone, the token is not")
	}
	wantCode(t, "ending it", l.EndToken(anna.Principal, info.ID), smartmeter.NotFound)
}

func TestTokensExpireAndTellTheirUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, anna := withAnna(t)
		secret, info, err := l.MakeToken(anna.Principal, NewToken{Label: "x", Role: Viewer, Rooms: []string{"hall"}, Expires: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		if !info.Used.IsZero() || secret[:3] != "sm_" {
			t.Errorf("a new token is %+v", info)
		}
		time.Sleep(time.Minute)
		if who, ok := l.Token(secret, home); !ok || who.Sees("attic") || !who.Sees("hall") {
			t.Errorf("%v, %v", who, ok)
		}
		used := time.Now()
		l.reopen()
		if got := l.Tokens(anna.Principal, false); len(got) != 1 || !got[0].Used.Equal(used) || got[0].ID != info.ID {
			t.Errorf("tokens %+v, used at %v", got, used)
		}
		time.Sleep(time.Hour)
		if _, ok := l.Token(secret, home); ok {
			t.Error("an expired token opens")
		}
		for _, wrong := range []string{"", "sm_", "sm_" + anna.Session, anna.Session, secret[:10], digest(secret)} {
			if _, ok := l.Token(wrong, home); ok {
				t.Errorf("token %q opens", wrong)
			}
		}
	})
}

func TestTheLastAdminStays(t *testing.T) {
	l, anna := withAnna(t)
	viewer := Viewer
	wantCode(t, "demoting the only admin", l.ChangeAccount(t.Context(), anna.Principal, "anna", AccountChange{Role: &viewer}), smartmeter.Conflict)
	wantCode(t, "removing the only admin", l.RemoveAccount(anna.Principal, "anna"), smartmeter.Conflict)
	l.add(anna.Principal, NewAccount{Name: "ben", Role: Admin})
	if err := l.RemoveAccount(anna.Principal, "anna"); err != nil {
		t.Fatal(err)
	}
	if _, ok := l.Session(anna.Session, home); ok {
		t.Error("whoever was removed is logged in")
	}
}

func TestAccountsAreChecked(t *testing.T) {
	l, anna := withAnna(t)
	for name, n := range map[string]NewAccount{
		"no name":               {Password: goodPassword, Role: Viewer},
		"a name with spaces":    {Name: "an na", Password: goodPassword, Role: Viewer},
		"a name of other signs": {Name: "аnna", Password: goodPassword, Role: Viewer},
		"no role":               {Name: "ben", Password: goodPassword},
		"a role that is none":   {Name: "ben", Password: goodPassword, Role: 9},
		"a short password":      {Name: "ben", Password: "123456789", Role: Viewer},
		"one letter repeated":   {Name: "ben", Password: "aaaaaaaaaaaa", Role: Viewer},
		"the name as password":  {Name: "benjaminus", Password: "Benjaminus12", Role: Viewer},
	} {
		wantCode(t, name, l.AddAccount(t.Context(), anna.Principal, n), smartmeter.Invalid)
	}
	wantCode(t, "a name twice", l.AddAccount(t.Context(), anna.Principal, NewAccount{Name: "ANNA", Password: goodPassword, Role: Viewer}), smartmeter.Conflict)
	want := []AccountInfo{{Name: "anna", Role: Admin, Everywhere: true}}
	got := l.Accounts()
	got[0].Made, got[0].LastSeen = time.Time{}, time.Time{}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("accounts (-want +got):\n%s", d)
	}
}
