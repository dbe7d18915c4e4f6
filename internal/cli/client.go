package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

const (
	// patience is how long a hub may take to begin an answer.
	patience = 10 * time.Second
	// maxAnswer bounds an answer; a hundred devices need about 100 kB.
	maxAnswer = 16 << 20
)

// client speaks to one hub. All its errors are *smartmeter.Error, except when
// the caller's context has ended.
type client struct {
	base string // "http://host:port", no slash at the end
	http *http.Client
}

// answer is what a hub said, in full.
type answer struct {
	body []byte
	// at is the hub's own clock when it answered, so that an age needs no
	// agreement between its clock and ours; zero if it did not tell.
	at time.Time
}

// devices asks for all devices.
func (c *client) devices(ctx context.Context) ([]device, answer, error) {
	a, err := c.ask(ctx, patience, http.MethodGet, "/api/v1/devices", nil)
	if err != nil {
		return nil, a, err
	}
	var list struct {
		Devices []device `json:"devices"`
	}
	if err := json.Unmarshal(a.body, &list); err != nil {
		return nil, a, c.stranger("an answer that is not a list of devices")
	}
	return list.Devices, a, nil
}

// ask sends one request and reads the whole answer. The answer's body is also
// there beside the error that stands for a status other than 2xx. The error is
// a lostAnswer if the request may have been heard all the same.
func (c *client) ask(ctx context.Context, within time.Duration, method, path string, body []byte) (answer, error) {
	timed, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var begun atomic.Bool // the trace is called by the transport's goroutines
	traced := httptrace.WithClientTrace(timed, &httptrace.ClientTrace{WroteHeaders: func() { begun.Store(true) }})
	resp, err := c.send(traced, method, path, body, nil)
	if err != nil {
		refused := errors.Is(err, syscall.ECONNREFUSED) // and then no earlier attempt was heard either
		if err = c.unreachable(ctx, err); begun.Load() && !refused {
			err = lostAnswer{err}
		}
		return answer{}, err
	}
	defer resp.Body.Close()
	a := answer{}
	a.at, _ = http.ParseTime(resp.Header.Get("Date"))
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return a, lostAnswer{c.unreachable(ctx, err)}
	}
	return a, c.refusal(resp, a.body)
}

// lostAnswer is an error after the request was sent, or had begun to be.
type lostAnswer struct{ error }

// Unwrap returns what happened.
func (l lostAnswer) Unwrap() error { return l.error }

// send sends a request with headers beyond the usual ones.
func (c *client) send(ctx context.Context, method, path string, body []byte, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return c.http.Do(req)
}

// unreachable explains why there is no answer. A context that ended by the
// caller's will is returned as it is: nothing is wrong then.
func (c *client) unreachable(ctx context.Context, err error) error {
	dns, noHost := errors.AsType[*net.DNSError](err)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, syscall.ECONNREFUSED):
		return errorf(smartmeter.Unavailable, "cannot reach the hub at %s: is it running? Start one with `smartmeter demo`, or name another with --hub", c.base)
	case noHost:
		return errorf(smartmeter.Unavailable, "cannot reach the hub at %s: there is no host %q. Check the name, or use its address with --hub", c.base, dns.Name)
	case errors.Is(err, context.DeadlineExceeded):
		return errorf(smartmeter.Unavailable, "the hub at %s takes too long to answer: is it overloaded, or --hub the wrong address?", c.base)
	default:
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // without the address, which is said already
		}
		return &smartmeter.Error{Code: smartmeter.Unavailable, Message: "cannot reach the hub at " + c.base, Err: err}
	}
}

// problem is an error document of the API (RFC 9457).
type problem struct {
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Errors []struct {
		Location string `json:"location"`
		Message  string `json:"message"`
	} `json:"errors"`
}

// String returns all the problem says, in one line and once.
func (p *problem) String() string {
	s := p.Detail
	if s == "" {
		s = p.Title
	}
	for _, e := range p.Errors {
		switch text := strings.TrimPrefix(e.Location+": "+e.Message, ": "); {
		case strings.Contains(s, text):
		case s == e.Message:
			s = text
		default:
			s += "; " + text
		}
	}
	return printable(s)
}

// refusal turns a status other than 2xx into an error; nil for the others.
func (c *client) refusal(resp *http.Response, body []byte) error {
	if resp.StatusCode/100 == 2 {
		return nil
	}
	var p problem
	if json.Unmarshal(body, &p) != nil || p.Title == "" && p.Detail == "" {
		return c.stranger(printable(resp.Status))
	}
	code := codeOf(resp.StatusCode)
	if code == smartmeter.LoginNeeded && resp.Request.URL.Path != "/api/v1/session" {
		return errorf(code, "the hub wants to know who you are (%s): use `smartmeter login`, or set SMARTMETER_TOKEN", p.String())
	}
	return errorf(code, "%s", p.String())
}

// stranger is the error for an answer that no hub gives.
func (c *client) stranger(what string) error {
	return errorf(smartmeter.Unavailable, "%s answers, but not as a hub does (%s): name the hub with --hub", c.base, what)
}

// codeOf is the way back of the API's mapping from codes to statuses.
func codeOf(status int) smartmeter.Code {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return smartmeter.Invalid
	case http.StatusUnauthorized:
		return smartmeter.LoginNeeded
	case http.StatusForbidden:
		return smartmeter.Denied
	case http.StatusTooManyRequests:
		return smartmeter.TooMany
	case http.StatusNotFound:
		return smartmeter.NotFound
	case http.StatusConflict:
		return smartmeter.Conflict
	case http.StatusGatewayTimeout:
		return smartmeter.NoAnswer
	case http.StatusBadGateway, http.StatusServiceUnavailable:
		return smartmeter.Unavailable
	default:
		return smartmeter.Internal
	}
}

// follow passes on the hub's events, after the one with id lastID if that is
// not "", until the stream ends or each returns an error. Its own error is
// never nil.
func (c *client) follow(ctx context.Context, lastID string, each func(event) error) error {
	header := http.Header{"Accept": {eventStream}}
	if lastID != "" {
		header.Set("Last-Event-ID", lastID)
	}
	// The stream may be quiet for as long as it likes; only its beginning must
	// come in time.
	streaming, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(patience, func() { cancel(context.DeadlineExceeded) })
	resp, err := c.send(streaming, http.MethodGet, "/api/v1/events", nil, header)
	late.Stop()
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	if err := c.checkStream(resp); err != nil {
		return err
	}
	for e, err := range readEvents(resp.Body) {
		if err != nil {
			return c.unreachable(ctx, err)
		}
		if err := each(e); err != nil {
			return err
		}
	}
	return io.EOF // not reached: the last thing that readEvents yields is an error
}

// eventStream is the content type of events.
const eventStream = "text/event-stream"

// checkStream returns an error unless resp begins a stream of events.
func (c *client) checkStream(resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // what is cut off is no problem document
		if err := c.refusal(resp, body); err != nil {
			return err
		}
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != eventStream {
		return c.stranger("no stream of events")
	}
	return nil
}
