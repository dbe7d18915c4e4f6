// Package cli is the client half of the command line: `smartmeter devices`,
// `smartmeter watch`, `smartmeter switch` and `smartmeter energy`, for people at
// a terminal and for the scripts they write.
//
// It speaks HTTP to a hub and nothing else. It knows neither MQTT nor the
// hub's store, so whatever it can do, any other program can do with the same
// API. Each command is a struct that cmd/smartmeter embeds in its grammar, with
// a Run(*Env) error that does the work.
//
// The package promises four things. What --json prints is the API's own
// objects, not a second format. A relay is reported as switched only after its
// node has said so. The exit status tells a script what happened without
// parsing any text. And nothing that came over the network can move the
// terminal's cursor: control characters are made harmless before they are
// printed.
package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/alecthomas/kong"

	"github.com/iot-smart-meter/smartmeter"
)

// Env is what a command finds around it. Main binds it.
type Env struct {
	// Ctx ends when the person has had enough, by Ctrl-C; it must not be nil.
	Ctx context.Context
	// Stdout takes what was asked for, Stderr notices on the way; neither may
	// be nil. Errors are returned, not printed.
	Stdout, Stderr io.Writer
	// Zone is the zone of the times people read; nil means the machine's own.
	Zone *time.Location
	// Stdin is where a password comes from; nil means os.Stdin.
	Stdin io.Reader
	// Transport carries the requests; nil means http.DefaultTransport.
	Transport http.RoundTripper
}

// Hub holds the flags that every client command has.
type Hub struct {
	URL       string `name:"hub" default:"http://127.0.0.1:8080" env:"SMARTMETER_HUB" placeholder:"URL" help:"The hub to talk to: ${default} unless told."`
	CA        string `name:"hub-ca" type:"existingfile" placeholder:"FILE" help:"Certificates (PEM) to trust with https://, instead of the system's, like the one that smartmeter ca --pem prints."`
	TokenFile string `placeholder:"FILE" help:"A file that holds a token for the hub, instead of what login has kept or SMARTMETER_TOKEN says."`
	JSON      bool   `name:"json" xor:"form" help:"Print the hub's own JSON, for programs."`
}

// exitHelp is shown by --help of every client command; ExitCode keeps to it.
const exitHelp = `Exit status:

    0  done
    1  something failed; the message says what
    2  the command line is wrong
    3  there is no such device
    4  refused by the node, or by the hub on its behalf
    5  no answer from the node in time, or the hub was lost after it was asked:
       the relay may have moved or not
    6  the hub cannot be reached, or is out of order
    7  the hub wants a login, or does not let you do that, or not so often
`

// ExitCode returns the exit status for what a command, or the parser of the
// command line, returned: see exitHelp.
func ExitCode(err error) int {
	if _, ok := errors.AsType[*kong.ParseError](err); ok {
		return 2
	}
	switch smartmeter.CodeOf(err) {
	case "":
		return 0
	case smartmeter.Invalid:
		return 2
	case smartmeter.NotFound:
		return 3
	case smartmeter.Conflict:
		return 4
	case smartmeter.NoAnswer:
		return 5
	case smartmeter.Unavailable:
		return 6
	case smartmeter.LoginNeeded, smartmeter.Denied, smartmeter.TooMany:
		return 7
	default:
		return 1
	}
}

// open returns a client for the hub that the flags name, with the token for it.
func (h *Hub) open(env *Env) (*client, error) {
	base, err := h.base()
	if err != nil {
		return nil, err
	}
	token, err := h.token(base)
	if err != nil {
		return nil, err
	}
	return h.openAs(env, token)
}

// openAs is open with a token that is known already; "" for none.
func (h *Hub) openAs(env *Env, token string) (*client, error) {
	base, err := h.base()
	if err != nil {
		return nil, err
	}
	transport, err := h.transport(env)
	if err != nil {
		return nil, err
	}
	return &client{base: base, http: &http.Client{Transport: bearer{token, transport}}}, nil
}

// base returns the hub's address, without a slash at its end.
func (h *Hub) base() (string, error) {
	address := h.URL
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", errorf(smartmeter.Invalid, "--hub %s is not the address of a hub: write it like http://raspberrypi:8080", h.URL)
	}
	return strings.TrimRight(address, "/"), nil
}

// transport returns what trusts the certificates that the flags name.
func (h *Hub) transport(env *Env) (http.RoundTripper, error) {
	if h.CA == "" {
		return env.Transport, nil
	}
	text, err := os.ReadFile(h.CA)
	if err != nil {
		return nil, &smartmeter.Error{Code: smartmeter.Invalid, Message: "--hub-ca", Err: err}
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(text) {
		return nil, errorf(smartmeter.Invalid, "--hub-ca %s holds no certificate: smartmeter ca --pem prints the hub's", h.CA)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: trusted}
	return transport, nil
}

// zone returns where the person is.
func (e *Env) zone() *time.Location {
	if e.Zone != nil {
		return e.Zone
	}
	return time.Local
}

// errorf returns a *smartmeter.Error without a field.
func errorf(code smartmeter.Code, format string, args ...any) error {
	return smartmeter.NewError(code, "", fmt.Sprintf(format, args...))
}

// printable makes s harmless for a terminal: names come from people and
// reasons from nodes, and either may hold escape sequences.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
