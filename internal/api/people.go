package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/access"
)

func (a *api) registerPeople(h huma.API, get describeGet, change describeChange) {
	const conflict = http.StatusConflict
	huma.Register(h, get(anyone, "/api/v1/session", "get-session", "Who asks, and what they may do"), a.getSession)
	huma.Register(h, change(anyone, http.MethodPost, "/api/v1/session", "log-in", "Log in; the session is a cookie", http.StatusUnauthorized, conflict), a.logIn)
	huma.Register(h, change(anyone, http.MethodDelete, "/api/v1/session", "log-out", "End the session, or revoke the token, that this request comes with"), a.logOut)
	huma.Register(h, change(anyone, http.MethodPost, "/api/v1/first-run", "first-run", "Make the first account, with the code on the hub's console", http.StatusForbidden, conflict), a.firstRun)
	huma.Register(h, change(access.ManageOwn, http.MethodPut, "/api/v1/password", "set-password", "Change one's own password", conflict), a.setPassword)
	huma.Register(h, get(access.ManageAccounts, "/api/v1/users", "list-users", "All accounts"), a.listUsers)
	huma.Register(h, change(access.ManageAccounts, http.MethodPost, "/api/v1/users", "add-user", "Make an account", conflict), a.addUser)
	huma.Register(h, change(access.ManageAccounts, http.MethodPatch, "/api/v1/users/{name}", "change-user", "Change what an account may do, or set its password", conflict), a.changeUser)
	huma.Register(h, change(access.ManageAccounts, http.MethodDelete, "/api/v1/users/{name}", "remove-user", "Remove an account with its sessions and tokens", conflict), a.removeUser)
	huma.Register(h, get(access.ManageOwn, "/api/v1/sessions", "list-sessions", "Where one is logged in"), a.listSessions)
	huma.Register(h, change(access.ManageOwn, http.MethodDelete, "/api/v1/sessions/{id}", "end-session", "Log out there", conflict), a.endSession)
	huma.Register(h, get(access.ManageOwn, "/api/v1/tokens", "list-tokens", "Tokens of scripts"), a.listTokens)
	huma.Register(h, change(access.ManageOwn, http.MethodPost, "/api/v1/tokens", "make-token", "Make a token; its secret is told this once", conflict), a.makeToken)
	huma.Register(h, change(access.ManageOwn, http.MethodDelete, "/api/v1/tokens/{id}", "end-token", "Revoke a token", conflict), a.endToken)
	huma.Register(h, get(access.ReadAudit, "/api/v1/audit", "get-audit", "Who did what, the newest first, and whether the log is as it was written"), a.getAudit)
	huma.Register(h, get(access.ReadAudit, "/api/v1/audit/export", "export-audit", "The whole log, as `smartmeter audit --check` checks it anywhere"), a.exportAudit)
}

type user struct {
	Name string `json:"name"`
	scope
	Made     time.Time  `json:"made"`
	LastSeen *time.Time `json:"last_seen" doc:"null if there is no session"`
}

type userList struct {
	Users []user `json:"users"`
}

func (a *api) listUsers(context.Context, *struct{}) (*body[userList], error) {
	list := userList{Users: []user{}}
	if a.people == nil {
		return &body[userList]{list}, nil
	}
	for _, u := range a.people.Accounts() {
		list.Users = append(list.Users, user{u.Name, showScope(u.Role, u.Rooms, u.Everywhere), u.Made, known(u.LastSeen)})
	}
	return &body[userList]{list}, nil
}

// known returns t, or nil for the zero time.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

type userRequest struct {
	Body struct {
		Credentials
		Role       string   `json:"role" enum:"viewer,operator,admin"`
		Rooms      []string `json:"rooms,omitempty" maxItems:"50" doc:"what a viewer sees, unless everywhere"`
		Everywhere bool     `json:"everywhere,omitempty"`
	}
}

func (a *api) addUser(ctx context.Context, in *userRequest) (*struct{}, error) {
	role, _ := access.ParseRole(in.Body.Role)
	return a.done(func() error {
		return a.people.AddAccount(ctx, whoAsks(ctx), access.NewAccount{
			Name: in.Body.Name, Password: in.Body.Password, Role: role, Rooms: in.Body.Rooms, Everywhere: in.Body.Everywhere,
		})
	})
}

// done answers what has no answer but that it was done.
func (a *api) done(do func() error) (*struct{}, error) {
	if a.people == nil {
		return nil, a.fail(errOpen)
	}
	if err := do(); err != nil {
		return nil, a.fail(inBody(err))
	}
	return nil, nil
}

// UserPath is exported as DevicePath is.
type UserPath struct {
	Name string `path:"name" maxLength:"64"`
}

type userChange struct {
	UserPath
	Body struct {
		Role       *string   `json:"role,omitempty" enum:"viewer,operator,admin"`
		Rooms      *[]string `json:"rooms,omitempty" maxItems:"50"`
		Everywhere *bool     `json:"everywhere,omitempty"`
		Password   *string   `json:"password,omitempty" maxLength:"1024" format:"password" doc:"ends the account's sessions and tokens"`
	}
}

func (a *api) changeUser(ctx context.Context, in *userChange) (*struct{}, error) {
	c := access.AccountChange{Rooms: in.Body.Rooms, Everywhere: in.Body.Everywhere, Password: in.Body.Password}
	if in.Body.Role != nil {
		role, _ := access.ParseRole(*in.Body.Role)
		c.Role = &role
	}
	return a.done(func() error { return a.people.ChangeAccount(ctx, whoAsks(ctx), in.Name, c) })
}

func (a *api) removeUser(ctx context.Context, in *UserPath) (*struct{}, error) {
	return a.done(func() error { return a.people.RemoveAccount(whoAsks(ctx), in.Name) })
}

// whoseRequest asks for one's own, or for everybody's.
type whoseRequest struct {
	Everybody bool `query:"everybody" doc:"of all accounts; for admins"`
}

var errNotYours = smartmeter.NewError(smartmeter.Denied, "query.everybody", "this takes an admin")

// check refuses to show everybody's to those who may not see them.
func (in *whoseRequest) check(who access.Principal) error {
	if in.Everybody && !who.May(access.ManageAccounts) {
		return errNotYours
	}
	return nil
}

type shownSession struct {
	ID      string    `json:"id"`
	Account string    `json:"account"`
	Made    time.Time `json:"made"`
	Used    time.Time `json:"used"`
	From    string    `json:"from" doc:"network address"`
	Agent   string    `json:"agent" doc:"what the browser calls itself"`
	Own     bool      `json:"own" doc:"the session that asks"`
}

type sessionList struct {
	Sessions []shownSession `json:"sessions"`
}

func (a *api) listSessions(ctx context.Context, in *whoseRequest) (*body[sessionList], error) {
	list := sessionList{Sessions: []shownSession{}}
	if err := in.check(whoAsks(ctx)); err != nil || a.people == nil {
		return &body[sessionList]{list}, a.failOrNil(err)
	}
	for _, s := range a.people.Sessions(whoAsks(ctx), in.Everybody) {
		list.Sessions = append(list.Sessions, shownSession{s.ID, s.Account, s.Made, s.Used, s.From.String(), s.Agent, s.Own})
	}
	return &body[sessionList]{list}, nil
}

// failOrNil is fail for an error that may be nil.
func (a *api) failOrNil(err error) error {
	if err == nil {
		return nil
	}
	return a.fail(err)
}

// IDPath is exported as DevicePath is.
type IDPath struct {
	ID string `path:"id" maxLength:"64"`
}

func (a *api) endSession(ctx context.Context, in *IDPath) (*struct{}, error) {
	return a.done(func() error { return a.people.EndSession(whoAsks(ctx), in.ID) })
}

type shownToken struct {
	ID      string `json:"id"`
	Account string `json:"account"`
	Label   string `json:"label"`
	scope
	Made    time.Time  `json:"made"`
	Used    *time.Time `json:"used" doc:"null: never"`
	Expires *time.Time `json:"expires" doc:"null: never"`
}

func showToken(t access.TokenInfo) shownToken {
	return shownToken{t.ID, t.Account, t.Label, showScope(t.Role, t.Rooms, t.Everywhere), t.Made, known(t.Used), known(t.Expires)}
}

type tokenList struct {
	Tokens []shownToken `json:"tokens"`
}

func (a *api) listTokens(ctx context.Context, in *whoseRequest) (*body[tokenList], error) {
	list := tokenList{Tokens: []shownToken{}}
	if err := in.check(whoAsks(ctx)); err != nil || a.people == nil {
		return &body[tokenList]{list}, a.failOrNil(err)
	}
	for _, t := range a.people.Tokens(whoAsks(ctx), in.Everybody) {
		list.Tokens = append(list.Tokens, showToken(t))
	}
	return &body[tokenList]{list}, nil
}

type tokenRequest struct {
	Body struct {
		Label      string    `json:"label" minLength:"1" maxLength:"64" doc:"what it is for"`
		Role       string    `json:"role" enum:"viewer,operator,admin" doc:"not above one's own"`
		Rooms      []string  `json:"rooms,omitempty" maxItems:"50" doc:"what a viewer sees, unless everywhere"`
		Everywhere bool      `json:"everywhere,omitempty"`
		Expires    time.Time `json:"expires,omitempty" doc:"never if absent"`
	}
}

type madeToken struct {
	Secret string     `json:"secret" doc:"to be sent as Authorization: Bearer; it is not told again"`
	Token  shownToken `json:"token"`
}

func (a *api) makeToken(ctx context.Context, in *tokenRequest) (*body[madeToken], error) {
	if a.people == nil {
		return nil, a.fail(errOpen)
	}
	b := &in.Body
	role, _ := access.ParseRole(b.Role)
	secret, made, err := a.people.MakeToken(whoAsks(ctx), access.NewToken{Label: b.Label, Role: role, Rooms: b.Rooms, Everywhere: b.Everywhere, Expires: b.Expires})
	if err != nil {
		return nil, a.fail(inBody(err))
	}
	return &body[madeToken]{madeToken{secret, showToken(made)}}, nil
}

func (a *api) endToken(ctx context.Context, in *IDPath) (*struct{}, error) {
	return a.done(func() error { return a.people.EndToken(whoAsks(ctx), in.ID) })
}
