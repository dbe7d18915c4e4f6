package api

import (
	"net/http"
	"time"

	"github.com/iot-smart-meter/smartmeter/internal/access"
)

// The names of our cookies. Over TLS they are bound to this very host, by a
// prefix that browsers enforce (RFC 6265bis section 4.1.3.2).
const (
	sessionCookie = "smartmeter_session"
	deviceCookie  = "smartmeter_device"
	hostPrefix    = "__Host-"
)

func cookieName(name string, secure bool) string {
	if secure {
		return hostPrefix + name
	}
	return name
}

func cookieOf(r *http.Request, name string, secure bool) string {
	c, err := r.Cookie(cookieName(name, secure))
	if err != nil {
		return ""
	}
	return c.Value
}

// newCookie returns a cookie that scripts do not see and other sites' pages do
// not send. An empty value takes it back.
func newCookie(name, value string, secure bool, life time.Duration) http.Cookie {
	c := http.Cookie{
		Name: cookieName(name, secure), Value: value, Path: "/",
		HttpOnly: true, Secure: secure, SameSite: http.SameSiteStrictMode, MaxAge: int(life.Seconds()),
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// deviceLife is how long a browser is remembered as one that has logged in.
const deviceLife = 365 * 24 * time.Hour

func (q *question) cookiesOf(o access.Opened) []http.Cookie {
	return []http.Cookie{
		newCookie(sessionCookie, o.Session, q.secure, access.SessionLife),
		newCookie(deviceCookie, o.Device, q.secure, deviceLife),
	}
}
