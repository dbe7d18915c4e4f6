// Package api is the hub over HTTP: requests in, JSON and events out, as the
// OpenAPI document at /openapi.json describes them.
//
// It decides nothing: it checks the form of a request, calls the hub and puts
// the answer into words. Errors are problem details (RFC 9457) that name the
// field and the remedy; the system's error codes become statuses in one place
// (problem.go). JSON names are snake_case, times RFC 3339, and quantities are
// in V, A, W, Hz and Wh.
//
// Each route has one permission, which it is registered with; who may not is
// told so before anything of the request is read (guard.go). Pages of other
// origins are kept from sending commands.
package api

import (
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/iot-smart-meter/smartmeter/internal/access"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
)

// Config is what the API needs.
type Config struct {
	// Hub must not be nil.
	Hub *hub.Hub
	// People are who may do something; with nil, whoever reaches the address may
	// do everything.
	People *access.People
	// Page serves everything outside the API; must not be nil.
	Page http.Handler
	// Hosts are names under which the hub may be reached, beside addresses,
	// localhost and names below .local. A request for another name is refused:
	// some stranger's page made its own name point here (DNS rebinding).
	Hosts []string
	// Authority is the certificate (PEM) that vouches for the hub's encryption,
	// served at /ca.pem; nil for a hub without.
	Authority []byte
	// Claiming is how nodes are let in.
	Claiming Claiming
	// More returns numbers of other parts for /metrics, by metric name; nil for
	// none.
	More func() map[string]float64
	// Version is shown in the OpenAPI document.
	Version string
	// Logger must not be nil.
	Logger *slog.Logger
}

// maxBody bounds request bodies, in bytes: no request has more than a few
// fields.
const maxBody = 16 << 10

type api struct {
	hub *hub.Hub
	// authority is Config.Authority.
	authority []byte
	claiming  *Claiming
	// people is nil where everybody may do everything.
	people *access.People
	more   func() map[string]float64
	log    *slog.Logger
}

// New returns the handler of all routes. The error names routes that were
// registered without a permission.
func New(cfg Config) (http.Handler, error) {
	a := &api{hub: cfg.Hub, authority: cfg.Authority, claiming: &cfg.Claiming, people: cfg.People, more: cfg.More, log: cfg.Logger}
	if a.more == nil {
		a.more = func() map[string]float64 { return nil }
	}
	g := newGuard(a)
	h := humago.New(g, humaConfig(cfg.Version))
	a.register(h, g)
	g.handle(access.SeeRoom, "GET /openapi.json", documentOf(h))
	g.handle(access.SeeRoom, "GET /metrics", http.HandlerFunc(a.serveMetrics))
	g.handle(access.SeeRoom, "/api/", unknownRoute(g.mux))
	g.handle(anyone, "GET /.well-known/security.txt", http.HandlerFunc(serveSecurityText))
	if cfg.Authority != nil {
		g.handle(anyone, "GET /ca.pem", serveAuthority(cfg.Authority))
	}
	g.handle(anyone, "/", cfg.Page)
	return carryHeaders(onlyKnown(cfg.Hosts, boundRequests(onlyOwnPages(g)))), g.err()
}

// documentOf serves the OpenAPI document as it is once all routes are in it.
func documentOf(h huma.API) http.HandlerFunc {
	text := sync.OnceValues(func() ([]byte, error) { return json.Marshal(h.OpenAPI()) })
	return func(w http.ResponseWriter, _ *http.Request) {
		document, err := text()
		if err != nil {
			writeProblem(w, http.StatusInternalServerError, "the document cannot be written")
			return
		}
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(document) // an error means that the client is gone
	}
}

func humaConfig(version string) huma.Config {
	cfg := huma.DefaultConfig("Smartmeter", version)
	cfg.Info.Description = "Energy meters and relays. Units: V, A, W, Hz, Wh; power factor is a ratio."
	cfg.Formats = map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat}
	cfg.DocsPath = ""     // the built-in page loads scripts from elsewhere
	cfg.OpenAPIPath = ""  // New serves it, with a permission
	cfg.SchemasPath = ""  // the schemas are in the document
	cfg.CreateHooks = nil // no $schema in bodies
	cfg.RejectUnknownQueryParameters = true
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", Description: "An API token, sm_…, see /api/v1/tokens."},
		"session": {Type: "apiKey", In: "cookie", Name: sessionCookie, Description: "What logging in gives; over TLS its name begins with " + hostPrefix + "."},
	}
	cfg.Transformers = []huma.Transformer{withoutValues}
	return cfg
}

func (a *api) register(h huma.API, g *guard) {
	get := func(need access.Permission, path, id, summary string) huma.Operation {
		return g.describe(need, huma.Operation{Method: http.MethodGet, Path: path, OperationID: id, Summary: summary})
	}
	change := func(need access.Permission, method, path, id, summary string, more ...int) huma.Operation {
		return g.describe(need, huma.Operation{Method: method, Path: path, OperationID: id, Summary: summary, MaxBodyBytes: maxBody, Errors: more})
	}
	huma.Register(h, describeHealth(h, get(anyone, "/api/v1/health", "get-health", "Whether a reading can travel from broker to store to query")), a.health)
	huma.Register(h, get(access.SeeRoom, "/api/v1/devices", "list-devices", "All devices with their latest reading and relay"), a.listDevices)
	huma.Register(h, get(access.SeeRoom, "/api/v1/devices/{id}", "get-device", "One device"), a.getDevice)
	huma.Register(h, change(access.EditDevice, http.MethodPatch, "/api/v1/devices/{id}", "change-device", "Rename a device, move it, say what it is, configure its node", http.StatusConflict), a.changeDevice)
	huma.Register(h, change(access.EraseData, http.MethodDelete, "/api/v1/devices/{id}", "erase-device", "Forget a device and everything it measured"), a.eraseDevice)
	huma.Register(h, get(access.SeeRoom, "/api/v1/devices/{id}/readings", "list-readings", "What a device measured, in columns"), a.listReadings)
	huma.Register(h, change(access.SwitchRelay, http.MethodPut, "/api/v1/devices/{id}/relay", "switch-relay", "Move a relay and wait for its node's word", http.StatusConflict, http.StatusGatewayTimeout), a.switchRelay)
	huma.Register(h, get(access.SeeRoom, "/api/v1/devices/{id}/commands", "list-commands", "What a relay was asked, and what became of it"), a.listCommands)
	huma.Register(h, change(access.SwitchRelay, http.MethodPost, "/api/v1/devices/{id}/protection/reset", "reset-protection", "Have a node that cut off by itself obey commands again", http.StatusConflict, http.StatusGatewayTimeout), a.resetProtection)
	huma.Register(h, get(access.SeeSite, "/api/v1/alerts", "list-alerts", "What people should know: what is so now, and then what was"), a.listAlerts)
	huma.Register(h, change(access.AcknowledgeAlert, http.MethodPost, "/api/v1/alerts/{id}/acknowledge", "acknowledge-alert", "Say that an alert was seen"), a.acknowledgeAlert)
	a.registerEnergy(h, get, change)
	a.registerNodes(h, get, change)
	a.registerPeople(h, get, change)
	huma.Register(h, get(access.SeeSite, "/api/v1/storage", "get-storage", "What the history takes of the disk, and for how long that goes on"), a.getStorage)
	huma.Register(h, get(access.SeeSite, "/api/v1/refused", "list-refused", "What could not be understood, by node and reason"), a.listRefused)
	huma.Register(h, get(access.SeeRoom, "/api/v1/events", "watch-events", "Everything that happens, as server-sent events"), a.watchEvents)
}

// carryHeaders sets what every answer carries, whatever it is.
func carryHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		if strings.HasPrefix(r.URL.Path, "/api/") {
			h.Set("Cache-Control", "no-store")
		}
		next.ServeHTTP(w, r)
	})
}

// onlyOwnPages keeps other origins' pages from changing anything.
func onlyOwnPages(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, http.StatusForbidden, "a page of another site must not send commands here")
	}))
	return guard.Handler(next)
}

// onlyKnown refuses requests for a host name that is not ours.
func onlyKnown(names []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isKnown(names, r.Host) {
			writeProblem(w, http.StatusMisdirectedRequest, "this hub does not go by the name "+strconv.Quote(r.Host)+"; use its address, or tell it the name with --host-name")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isKnown(names []string, hostPort string) bool {
	host := strings.ToLower(hostOf(hostPort))
	if host == "" || host == "localhost" || strings.HasSuffix(host, ".local") || net.ParseIP(host) != nil {
		return true // "" is HTTP/1.0, which no browser speaks
	}
	return slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, host) })
}

// Server returns a server with time limits against clients that dawdle. Event
// streams lift theirs.
func Server(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
