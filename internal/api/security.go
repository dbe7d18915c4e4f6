package api

import (
	_ "embed"
	"net/http"
)

// securityText says how to report a hole (RFC 9116).
//
//go:embed security.txt
var securityText []byte

func serveSecurityText(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(securityText) // an error means that the client is gone
}
