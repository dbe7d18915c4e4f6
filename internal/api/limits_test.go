package api

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Nobody takes the hub from the others with requests that do not end, and all
// together cannot take it from itself.
func TestS17RequestsAtATimeAreBounded(t *testing.T) {
	release := make(chan struct{})
	var begun, waiting sync.WaitGroup
	bounded := boundRequests(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		begun.Done()
		<-release
	}))
	ask := func(client string) int {
		r, w := httptest.NewRequest(http.MethodGet, "/api/v1/devices", nil), httptest.NewRecorder()
		r.RemoteAddr = client + ":4711"
		bounded.ServeHTTP(w, r)
		return w.Code
	}
	hold := func(client string, requests int) {
		begun.Add(requests)
		for range requests {
			waiting.Go(func() { ask(client) })
		}
		begun.Wait()
	}
	refused := func(client string) {
		t.Helper()
		if got := ask(client); got != http.StatusTooManyRequests {
			t.Errorf("one more of %s: %d", client, got)
		}
	}
	hold("192.0.2.1", maxRequestsPerClient)
	refused("192.0.2.1")
	hold("192.0.2.2", maxRequests-maxRequestsPerClient) // the others are served
	refused("192.0.2.3")
	close(release)
	waiting.Wait()
	begun.Add(1)
	if got := ask("192.0.2.1"); got != http.StatusOK {
		t.Errorf("after all have ended: %d", got)
	}
}

// fakeDoor hands out connections that were made beforehand.
type fakeDoor struct {
	net.Listener
	waiting []net.Conn
}

func (d *fakeDoor) Accept() (net.Conn, error) {
	if len(d.waiting) == 0 {
		return nil, io.EOF
	}
	next := d.waiting[0]
	d.waiting = d.waiting[1:]
	return next, nil
}

// fakeConn is a connection from an address.
type fakeConn struct {
	net.Conn
	from   string
	closed bool
}

func (c *fakeConn) RemoteAddr() net.Addr { return fakeAddr(c.from) }
func (c *fakeConn) Close() error         { c.closed = true; return nil }

type fakeAddr string

func (fakeAddr) Network() string  { return "tcp" }
func (a fakeAddr) String() string { return string(a) }

func TestS17ConnectionsAreBounded(t *testing.T) {
	door := &fakeDoor{}
	knock := func(client string) *fakeConn {
		c := &fakeConn{from: client}
		door.waiting = append(door.waiting, c)
		return c
	}
	bounded := BoundConnections(door)
	var in []net.Conn
	accept := func() {
		for {
			c, err := bounded.Accept()
			if errors.Is(err, io.EOF) {
				return
			}
			in = append(in, c)
		}
	}
	for i := range maxConnectionsPerClient + 1 {
		knock(fmt.Sprintf("192.0.2.1:%d", 1000+i))
	}
	other := knock("192.0.2.2:1")
	accept()
	if len(in) != maxConnectionsPerClient+1 || other.closed {
		t.Errorf("%d of a greedy client and another came in, the other was closed: %v", len(in), other.closed)
	}
	for i := range 2 * maxConnections {
		knock(fmt.Sprintf("198.51.%d.%d:1", i/256, i%256))
	}
	accept()
	if len(in) != maxConnections {
		t.Errorf("%d connections, want %d", len(in), maxConnections)
	}
	for range 2 { // closing twice makes room once
		in[0].Close()
	}
	knock("192.0.2.1:1")
	late := knock("192.0.2.3:1")
	accept()
	if len(in) != maxConnections+1 || !late.closed {
		t.Errorf("%d came in after one had left", len(in)-maxConnections)
	}
}
