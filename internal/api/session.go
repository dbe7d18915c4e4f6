package api

import (
	"context"
	"net/http"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/access"
)

// scope is what an account or a token may see and do.
type scope struct {
	Role       string   `json:"role" enum:"none,viewer,operator,admin"`
	Rooms      []string `json:"rooms" nullable:"false" doc:"what a viewer sees, unless everywhere"`
	Everywhere bool     `json:"everywhere"`
}

func showScope(role access.Role, rooms []string, everywhere bool) scope {
	return scope{role.String(), append([]string{}, rooms...), everywhere}
}

// me is who asks.
type me struct {
	State string `json:"state" enum:"first_run,login,in,open" doc:"first_run: there is no account yet; login: a login is needed; in: this is somebody; open: there are no accounts, everybody may do everything"`
	Name  string `json:"name"`
	scope
	May []string `json:"may" nullable:"false" doc:"permissions, see x-permission of each route"`
}

func (a *api) showMe(who access.Principal) me {
	m := me{State: "in", Name: who.Name, scope: showScope(who.Role, who.Rooms, who.Everywhere), May: []string{}}
	switch {
	case a.people == nil:
		m.State = "open"
	case who.Kind == access.Nobody && a.people.FirstRun():
		m.State = "first_run"
	case who.Kind == access.Nobody:
		m.State = "login"
	}
	for _, may := range who.Permissions() {
		m.May = append(m.May, may.String())
	}
	return m
}

func (a *api) getSession(ctx context.Context, _ *struct{}) (*body[me], error) {
	return &body[me]{a.showMe(whoAsks(ctx))}, nil
}

// opened is the answer that begins a session.
type opened struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      me
}

// Credentials are exported because huma fills in embedded structs only when
// they are.
type Credentials struct {
	Name     string `json:"name" maxLength:"64"`
	Password string `json:"password" maxLength:"1024" format:"password"`
}

type loginRequest struct{ Body Credentials }

func (a *api) logIn(ctx context.Context, in *loginRequest) (*opened, error) {
	return a.open(ctx, in.Body, func(l access.Credentials) (access.Opened, error) { return a.people.LogIn(ctx, l) })
}

type firstRunRequest struct {
	Body struct {
		Credentials
		Code string `json:"code" maxLength:"64" doc:"what the hub has printed when it started"`
	}
}

func (a *api) firstRun(ctx context.Context, in *firstRunRequest) (*opened, error) {
	return a.open(ctx, in.Body.Credentials, func(l access.Credentials) (access.Opened, error) {
		return a.people.SetUp(ctx, in.Body.Code, l)
	})
}

// errOpen is what routes about accounts answer where there are none.
var errOpen = smartmeter.NewError(smartmeter.Conflict, "", "this hub is open to everybody on its machine and has no accounts; start it without --open to have some")

// open begins a session, and sends its secrets as cookies.
func (a *api) open(ctx context.Context, c Credentials, begin func(access.Credentials) (access.Opened, error)) (*opened, error) {
	if a.people == nil {
		return nil, a.fail(errOpen)
	}
	q := questionOf(ctx)
	o, err := begin(access.Credentials{Name: c.Name, Password: c.Password, Device: q.device, From: q.from, Agent: q.agent})
	if err != nil {
		return nil, a.fail(inBody(err))
	}
	return &opened{SetCookie: q.cookiesOf(o), Body: a.showMe(o.Principal)}, nil
}

type ended struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
}

// logOut ends the session or the token that the request came with.
func (a *api) logOut(ctx context.Context, _ *struct{}) (*ended, error) {
	q := questionOf(ctx)
	if a.people != nil && q.who.Kind != access.Nobody {
		if err := a.people.LogOut(q.who); err != nil {
			return nil, a.fail(err)
		}
	}
	return &ended{SetCookie: []http.Cookie{newCookie(sessionCookie, "", q.secure, 0)}}, nil
}

type passwordRequest struct {
	Body struct {
		Old string `json:"old" maxLength:"1024" format:"password"`
		New string `json:"new" maxLength:"1024" format:"password" doc:"at least 10 characters"`
	}
}

// setPassword ends the other sessions and all tokens of who asks.
func (a *api) setPassword(ctx context.Context, in *passwordRequest) (*struct{}, error) {
	if a.people == nil {
		return nil, a.fail(errOpen)
	}
	if err := a.people.ChangePassword(ctx, whoAsks(ctx), in.Body.Old, in.Body.New); err != nil {
		return nil, a.fail(inBody(err))
	}
	return nil, nil
}
