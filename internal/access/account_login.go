package access

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net/netip"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// Credentials are a try to log in.
type Credentials struct {
	Name, Password string
	// Device is what an earlier login gave; "" if there was none.
	Device string
	From   netip.Addr
	// Agent is what the browser calls itself; it is shown and means nothing.
	Agent string
}

// Opened is a session. Its secrets are told this once.
type Opened struct {
	Session string
	// Device goes with later logins from the same browser: it keeps whoever
	// guesses elsewhere from locking this one out. It lets nobody in.
	Device    string
	Principal Principal
}

// Wait is the cause of an error with the code TooMany.
type Wait struct{ For time.Duration }

// Error says how long to wait.
func (w Wait) Error() string { return "wait " + w.For.String() }

var errWrong = smartmeter.NewError(smartmeter.LoginNeeded, "", "name or password is wrong")

// LogIn opens a session. Who may try how often, lockout.go says.
func (p *People) LogIn(ctx context.Context, in Credentials) (Opened, error) {
	name := foldName(in.Name)
	a := p.attemptOf(name, in)
	if err := p.admit(a); err != nil {
		return Opened{}, err
	}
	b := p.book.Load()
	right, err := p.verify(ctx, b.Accounts[name].Password, in.Password)
	switch {
	case err != nil:
		return Opened{}, err
	case !right:
		p.noteFailure(in.From, "login", name)
		return Opened{}, errWrong
	}
	p.forgive(a)
	return p.open(name, in)
}

// verify checks a password; one that is too long for any account is wrong.
func (p *People) verify(ctx context.Context, hash, password string) (bool, error) {
	if len(password) > mostPassword {
		password, hash = "", ""
	}
	return p.hasher.matches(ctx, hash, password)
}

// attemptOf tells whether the browser is known, by its cookie or else its
// network address.
func (p *People) attemptOf(name string, in Credentials) attempt {
	if !nameForm.MatchString(name) {
		return attempt{from: in.From}
	}
	a := attempt{account: name, from: in.From}
	devices := p.book.Load().Devices
	if key := digest(in.Device); devices[key].Account == name {
		a.device = key
		return a
	}
	for _, d := range devices {
		if d.Account == name && d.From.IsValid() && source(d.From) == source(in.From) {
			a.device = name + " at " + source(in.From)
		}
	}
	return a
}

func (p *People) admit(a attempt) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait := p.tries.admit(time.Now(), a)
	if wait == 0 {
		return nil
	}
	wait = wait.Truncate(time.Second) + time.Second
	return &smartmeter.Error{
		Code:    smartmeter.TooMany,
		Message: fmt.Sprintf("too many tries that failed; wait %v and try again, or use a device that has logged in before", wait),
		Err:     Wait{wait},
	}
}

func (p *People) forgive(a attempt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tries.success(a)
}

// maxAgent bounds what is kept of a browser's name.
const maxAgent = 200

// open makes a session of somebody whose password was right.
func (p *People) open(name string, in Credentials) (Opened, error) {
	now := time.Now().UTC()
	o := Opened{Session: newSecret(), Device: in.Device}
	if p.book.Load().Devices[digest(o.Device)].Account != name {
		o.Device = newSecret()
	}
	who := Principal{Kind: Person, Name: name, From: in.From}
	p.note(who, "login", "")
	err := p.change(func(b *book) error {
		if _, known := b.Accounts[name]; !known {
			return errWrong
		}
		b.Sessions[digest(o.Session)] = session{Account: name, Made: now, Used: now, From: in.From, Agent: cut(in.Agent, maxAgent)}
		b.Devices[digest(o.Device)] = device{Account: name, Used: now, From: in.From}
		bound(b.Sessions, ownerOfSession, func(s session) time.Time { return s.Used }, name, maxSessions)
		bound(b.Devices, ownerOfDevice, func(d device) time.Time { return d.Used }, name, maxDevices)
		return nil
	})
	if err != nil {
		return Opened{}, err
	}
	o.Principal, _ = p.Session(o.Session, in.From)
	return o, nil
}

var (
	errSetUp     = smartmeter.NewError(smartmeter.Conflict, "", "this hub is set up: log in")
	errWrongCode = smartmeter.NewError(smartmeter.Denied, "code", "is not the code that the hub has printed when it started; look at its console or log")
)

// SetUp makes the first account, an admin, for whoever knows the code on the
// console, and logs them in. After a rescue it makes another one, or sets the
// password of one that exists and makes it an admin.
func (p *People) SetUp(ctx context.Context, code string, in Credentials) (Opened, error) {
	want := p.Code()
	if want == "" {
		return Opened{}, errSetUp
	}
	a := attempt{from: in.From}
	if err := p.admit(a); err != nil {
		return Opened{}, err
	}
	if subtle.ConstantTimeCompare([]byte(foldCode(code)), []byte(want)) != 1 {
		p.noteFailure(in.From, "first-run", "")
		return Opened{}, errWrongCode
	}
	p.forgive(a)
	name := foldName(in.Name)
	made, err := p.makeAccount(ctx, name, NewAccount{Password: in.Password, Role: Admin})
	if err != nil {
		return Opened{}, err
	}
	if !p.takeCode(want) {
		return Opened{}, errSetUp
	}
	p.note(Principal{Kind: Console, Name: "console", From: in.From}, "first-run", name)
	err = p.change(func(b *book) error {
		b.logOutAll(name, "")
		b.Accounts[name] = made
		return nil
	})
	if err != nil {
		p.giveCode(want)
		return Opened{}, err
	}
	return p.open(name, in)
}

// takeCode uses the code up; only one caller gets it.
func (p *People) takeCode(code string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := p.code == code
	p.code = ""
	return taken
}

func (p *People) giveCode(code string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.code = code
}

// ChangePassword sets one's own password. All other sessions and all tokens of
// the account end.
func (p *People) ChangePassword(ctx context.Context, by Principal, old, password string) error {
	a, known := p.book.Load().Accounts[by.Name]
	if !known {
		return errNoAccount
	}
	if err := checkPassword("new", by.Name, password); err != nil {
		return err
	}
	try := attempt{device: "session " + by.ID}
	if err := p.admit(try); err != nil {
		return err
	}
	right, err := p.verify(ctx, a.Password, old)
	if err != nil {
		return err
	}
	if !right {
		p.noteFailure(by.From, "change-password", by.Name)
		return smartmeter.NewError(smartmeter.Denied, "old", "is not your password")
	}
	p.forgive(try)
	hash, err := p.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	p.note(by, "change-password", "")
	return p.change(func(b *book) error {
		now, known := b.Accounts[by.Name]
		if !known || now.Password != a.Password {
			return errWrong
		}
		now.Password = hash
		b.Accounts[by.Name] = now
		b.logOutAll(by.Name, by.key)
		return nil
	})
}
