package cli_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/cli"
)

var update = flag.Bool("update", false, "write what the commands print into testdata/*.golden")

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// grammar is what cmd/smartmeter builds from this package.
type grammar struct {
	Devices cli.Devices  `cmd:"" help:"List the devices."`
	Storage cli.Storage  `cmd:"" help:"Say what the history takes of the disk."`
	Watch   cli.Watch    `cmd:"" help:"Follow what happens."`
	Switch  cli.Switch   `cmd:"" help:"Switch a device on or off."`
	Energy  cli.Energy   `cmd:"" help:"Tell what devices used."`
	Export  cli.Export   `cmd:"" help:"Write the history into a table."`
	Correct cli.Correct  `cmd:"" help:"Say what people know."`
	Price   cli.Price    `cmd:"" help:"Say what a kWh costs."`
	Zone    cli.SiteZone `cmd:"" help:"Say in which time zone the site is."`

	Commands cli.Commands `cmd:"" help:"Tell what moved a relay."`
	Alerts   cli.Alerts   `cmd:"" help:"Tell what people should know."`
	Protect  cli.Protect  `cmd:"" help:"Tell what a node does by itself."`
}

// result is what a shell would see of a command.
type result struct {
	Stdout, Stderr string
	Code           int
}

// session is a person at a terminal with a hub in reach.
type session struct {
	ctx       context.Context
	transport http.RoundTripper
}

// run runs one command line as main does.
func (s session) run(t *testing.T, args ...string) result {
	t.Helper()
	var out, notices bytes.Buffer
	err := s.runInto(t, &out, &notices, args...)
	if err != nil {
		fmt.Fprintf(&notices, "smartmeter: %v\n", err)
	}
	return result{out.String(), notices.String(), cli.ExitCode(err)}
}

func (s session) runInto(t *testing.T, stdout, stderr io.Writer, args ...string) error {
	t.Helper()
	type exited struct{} // ends the parse, as os.Exit does after --help
	defer func() {
		if r := recover(); r != nil && r != (exited{}) {
			panic(r)
		}
	}()
	parser, err := kong.New(&grammar{}, kong.Name("smartmeter"),
		kong.Writers(stdout, stderr), kong.Exit(func(int) { panic(exited{}) }))
	if err != nil {
		t.Fatalf("the grammar: %v", err)
	}
	command, err := parser.Parse(args)
	if err != nil {
		return err
	}
	return command.Run(&cli.Env{
		Ctx: s.ctx, Stdout: stdout, Stderr: stderr,
		Zone: time.FixedZone("CET", 3600), Transport: s.transport,
	})
}

// serve plays a hub and returns the session and the flag that names the hub.
func serve(t *testing.T, hub http.Handler) (session, string) {
	t.Helper()
	server := httptest.NewServer(hub)
	t.Cleanup(server.Close)
	transport := &http.Transport{DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	return session{t.Context(), transport}, "--hub=" + server.URL
}

// serveInBubble is serve for a synctest bubble, where connections must be
// made of nothing but memory for time to pass.
func serveInBubble(t *testing.T, hub http.Handler) (session, string) {
	t.Helper()
	line := &memoryListener{made: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: hub}
	go server.Serve(line)
	transport := &http.Transport{DisableKeepAlives: true, DialContext: line.dial}
	t.Cleanup(func() {
		server.Close()
		transport.CloseIdleConnections()
	})
	return session{t.Context(), transport}, "--hub=http://hub"
}

// memoryListener is a net.Listener of net.Pipe connections.
type memoryListener struct {
	made   chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *memoryListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.made <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, errors.New("the hub has gone")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.made:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *memoryListener) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

// hub plays the API with fixed answers.
type hub struct {
	devices string // the document of GET /api/v1/devices
	storage string // the document of GET /api/v1/storage
	relay   http.HandlerFunc
	events  http.HandlerFunc
}

// clock is the time of the hubs played here.
var clock = time.Date(2026, 11, 23, 13, 3, 8, 0, time.UTC)

func (h hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", clock.Format(http.TimeFormat))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/devices", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, h.devices)
	})
	mux.HandleFunc("GET /api/v1/energy", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, usedToday)
	})
	mux.HandleFunc("GET /api/v1/storage", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, h.storage)
	})
	if h.relay != nil {
		mux.HandleFunc("PUT /api/v1/devices/{id}/relay", h.relay)
	}
	if h.events != nil {
		mux.HandleFunc("GET /api/v1/events", h.events)
	}
	mux.ServeHTTP(w, r)
}

// usedToday is what some of the household has used; of the others nothing is known.
const usedToday = `{"devices":[
{"id":"sim-fridge","buckets":[{"wh":913,"quality":"measured"}]},
{"id":"plug-1","buckets":[{"wh":0,"quality":"interpolated"}]},
{"id":"plug-1:1","buckets":[{"wh":0,"quality":"absent"}]}]}`

// answering returns a handler that always gives the same answer.
func answering(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

const problemJSON = "application/problem+json"

// household is the devices document that most tests use.
func household(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("testdata/devices.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// golden compares got with a file of testdata.
func golden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// check compares what a shell saw with what it should have seen. Only parts of
// Stderr are named in want; all of it, if want has none.
func check(t *testing.T, got, want result) {
	t.Helper()
	if want.Stderr != "" && strings.Contains(got.Stderr, want.Stderr) {
		got.Stderr = want.Stderr
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestExitCode(t *testing.T) {
	codes := map[int]error{
		0: nil,
		1: smartmeter.NewError(smartmeter.Internal, "", "oops"),
		2: smartmeter.NewError(smartmeter.Invalid, "", "what?"),
		3: smartmeter.NewError(smartmeter.NotFound, "", "who?"),
		4: smartmeter.NewError(smartmeter.Conflict, "", "no"),
		5: smartmeter.NewError(smartmeter.NoAnswer, "", "…"),
		6: smartmeter.NewError(smartmeter.Unavailable, "", "gone"),
	}
	for want, err := range codes {
		if got := cli.ExitCode(err); got != want {
			t.Errorf("ExitCode(%v) = %d, want %d", err, got, want)
		}
		if err == nil {
			continue
		}
		if got := cli.ExitCode(fmt.Errorf("around it: %w", err)); got != want {
			t.Errorf("ExitCode(wrapped %v) = %d, want %d", err, got, want)
		}
	}
	if got := cli.ExitCode(io.ErrUnexpectedEOF); got != 1 {
		t.Errorf("ExitCode(any error) = %d, want 1", got)
	}
}

func TestHelpSaysTheExitCodes(t *testing.T) {
	for _, command := range []string{"devices", "watch", "switch", "energy", "correct", "price"} {
		t.Run(command, func(t *testing.T) {
			t.Setenv("COLUMNS", "80")
			got := session{ctx: t.Context()}.run(t, command, "--help")
			golden(t, command+"-help.golden", got.Stdout)
			if !strings.Contains(got.Stdout, "6  the hub cannot be reached") {
				t.Errorf("%s --help does not say the exit codes", command)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	tests := map[string]struct {
		args   []string
		stderr string
	}{
		"no command":          {nil, "expected one of"},
		"unknown flag":        {[]string{"devices", "--jsn"}, "unknown flag --jsn, did you mean \"--json\"?"},
		"neither on nor off":  {[]string{"switch", "fridge", "up"}, `must be one of "on","off" but got "up"`},
		"nothing to switch":   {[]string{"switch"}, "expected"},
		"no time to answer":   {[]string{"switch", "fridge", "on", "--wait=0s"}, "leaves the node no time"},
		"fewer than none":     {[]string{"watch", "--count=-1"}, "--count -1: give the number"},
		"hub of another kind": {[]string{"devices", "--hub=mqtt://raspberrypi"}, "is not the address of a hub: write it like http://raspberrypi:8080"},
		"hub without a host":  {[]string{"devices", "--hub=http://"}, "is not the address of a hub"},
		"hub with a bad port": {[]string{"devices", "--hub=http://[::1"}, "is not the address of a hub"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			check(t, session{ctx: t.Context()}.run(t, tt.args...), result{Stderr: tt.stderr, Code: 2})
		})
	}
}

func TestHubOutOfReach(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := listener.Addr().String()
	listener.Close()

	for _, args := range [][]string{{"devices"}, {"watch"}, {"switch", "fridge", "on"}} {
		t.Run(args[0], func(t *testing.T) {
			t.Setenv("SMARTMETER_HUB", free) // an address is enough, http:// is understood
			check(t, session{ctx: t.Context()}.run(t, args...), result{
				Stderr: "smartmeter: cannot reach the hub at http://" + free +
					": is it running? Start one with `smartmeter demo`, or name another with --hub\n",
				Code: 6,
			})
		})
	}
}

func TestHubUnknownByName(t *testing.T) {
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "rasberrypi", IsNotFound: true}
	}}
	got := session{t.Context(), transport}.run(t, "devices", "--hub=http://rasberrypi:8080/")
	check(t, got, result{Stderr: `cannot reach the hub at http://rasberrypi:8080: there is no host "rasberrypi"`, Code: 6})
}

func TestHubThatDoesNotAnswer(t *testing.T) {
	for name, tt := range map[string]struct {
		args  []string
		after time.Duration
		code  int
	}{
		"devices": {[]string{"devices"}, 10 * time.Second, 6},
		"watch":   {[]string{"watch"}, 10 * time.Second, 6},
		"switch":  {[]string{"switch", "fridge", "on", "--wait=7s"}, 17 * time.Second, 5}, // it may have switched
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hang := func(_ http.ResponseWriter, r *http.Request) {
					io.Copy(io.Discard, r.Body) // only then does a server notice that nobody waits
					<-r.Context().Done()
				}
				var mute http.Handler = http.HandlerFunc(hang)
				if name != "devices" { // the list still comes, and then no more
					mute = hub{devices: household(t), relay: hang, events: hang}
				}
				s, flag := serveInBubble(t, mute)
				start := time.Now()
				check(t, s.run(t, append(tt.args, flag)...), result{Stderr: "the hub at http://hub takes too long to answer", Code: tt.code})
				if took := time.Since(start); took != tt.after {
					t.Errorf("gave up after %v, want %v", took, tt.after)
				}
			})
		})
	}
}

func TestAnswersOfOthers(t *testing.T) {
	tests := map[string]struct {
		handler http.HandlerFunc
		want    result
	}{
		"another web server": {
			answering(404, "text/html", "<h1>Not Found</h1>"),
			result{Stderr: "answers, but not as a hub does (404 Not Found): name the hub with --hub", Code: 6},
		},
		"another API": {
			answering(200, "application/json", `["hello"]`),
			result{Stderr: "an answer that is not a list of devices", Code: 6},
		},
		"a proxy whose hub is away": {
			answering(502, "text/plain", "bad gateway"),
			result{Stderr: "(502 Bad Gateway)", Code: 6},
		},
		"a hub whose store is broken": {
			answering(503, problemJSON, `{"title":"Service Unavailable","status":503,"detail":"the store is full"}`),
			result{Stderr: "smartmeter: the store is full\n", Code: 6},
		},
		"a hub that wants an account": {
			answering(401, problemJSON, `{"title":"Unauthorized","status":401}`),
			result{Stderr: "smartmeter: the hub wants to know who you are (Unauthorized): use `smartmeter login`, or set SMARTMETER_TOKEN\n", Code: 7},
		},
		"a hub that found a mistake": {
			answering(422, problemJSON, `{"detail":"invalid","errors":[{"location":"body.wait","message":"at most 30s\u001b[2J"}]}`),
			result{Stderr: "smartmeter: invalid; body.wait: at most 30s\ufffd[2J\n", Code: 2},
		},
		"a hub that says it once, with the field": {
			answering(422, problemJSON, `{"detail":"validation failed: body.on: is required","errors":[{"location":"body.on","message":"is required"}]}`),
			result{Stderr: "smartmeter: validation failed: body.on: is required\n", Code: 2},
		},
		"a hub that says it twice, once without": {
			answering(422, problemJSON, `{"detail":"must be 0s to 30s","errors":[{"location":"body.wait","message":"must be 0s to 30s"}]}`),
			result{Stderr: "smartmeter: body.wait: must be 0s to 30s\n", Code: 2},
		},
		"an answer cut off": {
			func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "100")
				io.WriteString(w, `{"devices":`)
			},
			result{Stderr: "unexpected EOF", Code: 6},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, flag := serve(t, tt.handler)
			check(t, s.run(t, "devices", flag), tt.want)
		})
	}
}
