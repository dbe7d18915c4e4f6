package mqtt

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"runtime/debug"
)

// guard calls fn and contains its panic.
func (b *Broker) guard(what string, fn func()) {
	defer func() {
		if r := recover(); r != nil {
			b.contained(what, r)
		}
	}()
	fn()
}

// contained counts and logs a recovered panic.
func (b *Broker) contained(what string, panicked any, attrs ...any) {
	b.counters.panics.Add(1)
	attrs = append(attrs, "in", what, "panic", panicked, "stack", string(debug.Stack()))
	b.log.Error("panic contained", attrs...)
}

// logEnd logs how a connection ended. What strangers do stays at debug level,
// or they could fill a disk with it.
func (b *Broker) logEnd(c *conn, reason Reason, err error) {
	level := slog.LevelDebug
	if c.session != nil && reason > ReasonShutdown {
		level = slog.LevelInfo
	}
	b.log.Log(context.Background(), level, "connection ended", "client", c.name(), "remote", c.net.RemoteAddr(), "reason", reason.String(), "error", err)
}

// name returns the client id, if there is one yet.
func (c *conn) name() string {
	if c.session == nil {
		return ""
	}
	return c.session.client.ClientID
}

// dump shows the start of a packet, unless it carries a password.
func (f frame) dump() string {
	const most = 128
	switch {
	case f.kind == 0:
		return "none"
	case f.kind == kindConnect:
		return fmt.Sprintf("CONNECT of %d bytes, not shown because of its password", len(f.body))
	default:
		return fmt.Sprintf("%x%x %s", byte(f.kind), f.flags, hex.EncodeToString(f.body[:min(len(f.body), most)]))
	}
}
