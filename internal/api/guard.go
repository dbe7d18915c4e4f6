package api

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/access"
)

// anyone is the need of the few routes that strangers may use. It is no
// permission: nobody has it.
const anyone access.Permission = 0xff

type (
	describeGet    func(need access.Permission, path, id, summary string) huma.Operation
	describeChange func(need access.Permission, method, path, id, summary string, more ...int) huma.Operation
)

// guard is the only way to the routes: each is registered with what it needs,
// and nothing of a request is looked at before its sender is known to have it.
type guard struct {
	api      *api
	mux      *http.ServeMux
	needs    map[string]access.Permission // by pattern
	names    map[string]string            // of operations, by pattern
	unneeded []string                     // patterns that came without a need
}

func newGuard(a *api) *guard {
	return &guard{api: a, mux: http.NewServeMux(), needs: make(map[string]access.Permission), names: make(map[string]string)}
}

// err says which routes were registered without a need. They do not exist.
func (g *guard) err() error {
	if len(g.unneeded) > 0 {
		return fmt.Errorf("routes without a permission: %s", strings.Join(g.unneeded, ", "))
	}
	return nil
}

// describe declares what a route needs, and puts it into the OpenAPI document.
func (g *guard) describe(need access.Permission, op huma.Operation) huma.Operation {
	pattern := op.Method + " " + op.Path
	g.needs[pattern], g.names[pattern] = need, op.OperationID
	op.Errors = append([]int{http.StatusBadRequest, http.StatusNotFound, http.StatusTooManyRequests, http.StatusServiceUnavailable}, op.Errors...)
	op.Extensions = map[string]any{"x-permission": "anyone"}
	if need != anyone {
		op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusForbidden)
		op.Extensions["x-permission"] = need.String()
		op.Security = []map[string][]string{{"token": {}}, {"session": {}}}
	}
	return op
}

// handle registers a route that is in no document.
func (g *guard) handle(need access.Permission, pattern string, h http.Handler) {
	g.needs[pattern] = need
	g.HandleFunc(pattern, h.ServeHTTP)
}

// HandleFunc registers a route; huma calls it, too.
func (g *guard) HandleFunc(pattern string, serve func(http.ResponseWriter, *http.Request)) {
	need, declared := g.needs[pattern]
	if !declared || need != anyone && need.String() == "" {
		g.unneeded = append(g.unneeded, pattern)
		return
	}
	g.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		q := g.api.identify(r)
		if status, why := g.refusal(q, need, pattern, r); status != 0 {
			if status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", `Bearer realm="smartmeter"`)
			}
			writeProblem(w, status, why)
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), questionKey{}, q))
		if !g.isNoted(need, r.Method) {
			serve(w, r)
			return
		}
		answer := &statusWriter{ResponseWriter: w}
		serve(answer, r)
		if answer.status < http.StatusBadRequest {
			g.api.people.Note(q.who, g.names[pattern], q.subject(r))
		}
	})
}

// ServeHTTP serves the routes.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.mux.ServeHTTP(w, r) }

// refusal returns the status and the reason for which a request is not let
// through; 0 lets it.
func (g *guard) refusal(q *question, need access.Permission, pattern string, r *http.Request) (status int, why string) {
	switch {
	case need == anyone:
		return 0, ""
	case q.who.Kind == access.Nobody:
		return http.StatusUnauthorized, q.stranger
	case !q.who.May(need):
		return http.StatusForbidden, whoMay(q.who, need)
	case strings.Contains(pattern, "/devices/{id}"):
		// What one may not see looks like what is not there.
		d, err := g.api.hub.Device(smartmeter.DeviceID(r.PathValue("id")))
		if err == nil && !q.who.Sees(d.Room) {
			return http.StatusNotFound, g.api.noSuchDevice().Error()
		}
	}
	return 0, ""
}

// whoMay says what it would take.
func whoMay(who access.Principal, need access.Permission) string {
	least, person := need.Least()
	switch {
	case person && who.Kind == access.Token:
		return "this takes a person who is logged in; a token may not"
	case who.Role >= least && need == access.SeeSite:
		return "this takes somebody who sees all rooms"
	case least == access.Admin:
		return "this takes an admin; you are " + an(who.Role.String())
	default:
		return "this takes " + an(least.String()) + " or more; you are " + an(who.Role.String())
	}
}

func an(role string) string {
	if strings.ContainsAny(role[:1], "aeiou") {
		return "an " + role
	}
	return "a " + role
}

// noSuchDevice is the hub's own error for a device that is not there.
func (a *api) noSuchDevice() error {
	_, err := a.hub.Device("")
	return err
}

// isNoted reports whether a request goes into the audit log here. What is done
// to accounts is entered where it is done.
func (g *guard) isNoted(need access.Permission, method string) bool {
	reads := method == http.MethodGet || method == http.MethodHead
	return !reads && g.api.people != nil && need != anyone && need != access.ManageAccounts && need != access.ManageOwn
}

// question is a request, as far as it concerns who asks.
type question struct {
	who  access.Principal
	from netip.Addr
	// device is the secret of a browser that has logged in before.
	device string
	secure bool   // over TLS
	agent  string // what the program calls itself
	about  string // for the audit log
	// stranger says why the sender is nobody.
	stranger string
}

type questionKey struct{}

func questionOf(ctx context.Context) *question {
	if q, ok := ctx.Value(questionKey{}).(*question); ok {
		return q
	}
	return &question{}
}

// whoAsks returns who sent the request; nobody without a guard.
func whoAsks(ctx context.Context) access.Principal { return questionOf(ctx).who }

// causeOf says why the hub is asked to do something: where nobody logs in it is
// the API alone.
func causeOf(ctx context.Context) smartmeter.Cause {
	if who := whoAsks(ctx); who.Kind != access.Console {
		return smartmeter.CauseAPI + smartmeter.Cause(", by "+who.Name)
	}
	return smartmeter.CauseAPI
}

// noteAbout says what a request is about, for the audit log.
func noteAbout(ctx context.Context, about string) { questionOf(ctx).about = about }

func (q *question) subject(r *http.Request) string {
	if q.about != "" {
		return q.about
	}
	return r.PathValue("id")
}

// identify finds out who sends a request: by token, and by cookie if there is
// no token.
func (a *api) identify(r *http.Request) *question {
	q := &question{secure: r.TLS != nil, agent: r.UserAgent()}
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		q.from = from.Addr().Unmap()
	}
	if a.people == nil {
		q.who = access.AtConsole()
		q.who.From = q.from
		return q
	}
	q.device = cookieOf(r, deviceCookie, q.secure)
	q.stranger = "log in first, or send a token as Authorization: Bearer sm_…"
	if a.people.FirstRun() {
		q.stranger = "this hub has no account yet: open it in a browser and make the first one"
	}
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, secret, _ := strings.Cut(header, " ")
		q.stranger = "this token is unknown, has expired or was revoked"
		if strings.EqualFold(scheme, "Bearer") {
			q.who, _ = a.people.Token(strings.TrimSpace(secret), q.from)
		}
		return q
	}
	if secret := cookieOf(r, sessionCookie, q.secure); secret != "" {
		q.who, _ = a.people.Session(secret, q.from)
	}
	return q
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader passes the status on.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
