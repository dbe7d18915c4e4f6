package api

import (
	"net"
	"net/http"
	"sync"
)

// How many requests and connections there may be at a time, so that no client
// takes the hub from the others, and all together not its memory. Streams of
// events count as requests; how many of them there may be, the hub knows.
const (
	maxRequests             = 256
	maxRequestsPerClient    = 128
	maxConnections          = 1024
	maxConnectionsPerClient = 256
)

// tally counts what is under way, by client and in all.
type tally struct {
	perClient, inAll int

	mu  sync.Mutex
	of  map[string]int
	sum int
}

// begin reports whether there is room for one more.
func (t *tally) begin(client string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sum >= t.inAll || t.of[client] >= t.perClient {
		return false
	}
	if t.of == nil {
		t.of = make(map[string]int)
	}
	t.of[client]++
	t.sum++
	return true
}

func (t *tally) end(client string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum--
	if t.of[client]--; t.of[client] == 0 {
		delete(t.of, client)
	}
}

// boundRequests refuses what is too much at a time, before anything is done.
func boundRequests(next http.Handler) http.Handler {
	requests := &tally{perClient: maxRequestsPerClient, inAll: maxRequests}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client := clientOf(r.RemoteAddr)
		if !requests.begin(client) {
			w.Header().Set("Retry-After", "1")
			writeProblem(w, http.StatusTooManyRequests, "too many requests at a time; wait for some to end")
			return
		}
		defer requests.end(client)
		next.ServeHTTP(w, r)
	})
}

// BoundConnections returns a listener that closes connections of clients who
// have too many, and more than the hub can hold.
func BoundConnections(l net.Listener) net.Listener {
	return &boundListener{Listener: l, open: &tally{perClient: maxConnectionsPerClient, inAll: maxConnections}}
}

type boundListener struct {
	net.Listener
	open *tally
}

// Accept returns the next connection that there is room for.
func (l *boundListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		client := clientOf(conn.RemoteAddr().String())
		if l.open.begin(client) {
			return &boundConn{Conn: conn, leave: sync.OnceFunc(func() { l.open.end(client) })}, nil
		}
		conn.Close()
	}
}

type boundConn struct {
	net.Conn
	leave func()
}

// Close makes room for another.
func (c *boundConn) Close() error {
	c.leave()
	return c.Conn.Close()
}

func clientOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}
