package api

import "net/http"

// serveAuthority hands out the certificate that programs and browsers are to
// trust. It is no secret; whether it is the right one, its fingerprint says.
func serveAuthority(pem []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-pem-file")
		w.Header().Set("Content-Disposition", `attachment; filename="smartmeter-ca.pem"`)
		_, _ = w.Write(pem) // an error means that the client is gone
	}
}
