package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"

	"github.com/iot-smart-meter/smartmeter/internal/access"
	"github.com/iot-smart-meter/smartmeter/internal/api"
	"github.com/iot-smart-meter/smartmeter/internal/ca"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// protect opens the list of accepted nodes, and has the hub's own authority
// vouch for the encrypted doors; a hub that is open has neither. Nodes are
// always shown the hub's own certificate, which they pin: one that a person
// brought, and renews as its issuer likes, is for browsers.
func (s *system) protect() error {
	if !s.cfg.closed {
		return nil
	}
	files, err := disk.OpenDir(s.cfg.dataDir)
	if err != nil {
		return err
	}
	s.files = files
	s.authority, err = ca.Open(ca.Config{
		Files:  files,
		Names:  func() ca.Names { return ca.MachineNames(s.cfg.hostNames) },
		Logger: s.cfg.log,
	})
	if err != nil {
		return err
	}
	s.cfg.log.Info("encryption is vouched for by this hub's own authority", "sha256", s.authority.Fingerprint().String())
	if s.cfg.doors.mqtts != nil {
		s.cfg.doors.mqtts = tls.NewListener(s.cfg.doors.mqtts, s.authority.TLS())
	}
	if s.cfg.external == nil {
		s.nodes, err = access.OpenNodes(files, nil)
	}
	return err
}

// browserTLS is what browsers are shown.
func (s *system) browserTLS() *tls.Config {
	shown := s.authority.TLS()
	if s.cfg.ownCert != nil {
		shown = s.cfg.ownCert.TLS()
	}
	// Said here, because a server that also serves without encryption prepares
	// for HTTP/2 only if it was.
	shown.NextProtos = []string{"h2", "http/1.1"}
	return shown
}

// servePlain serves HTTP until the server is shut down.
func (s *system) servePlain() error {
	if s.cfg.doors.http == nil {
		return nil
	}
	return unlessShut(s.server.Serve(api.BoundConnections(s.cfg.doors.http)))
}

// serveEncrypted serves HTTPS until the server is shut down.
func (s *system) serveEncrypted() error {
	if s.cfg.doors.https == nil {
		return nil
	}
	return unlessShut(s.server.ServeTLS(api.BoundConnections(s.cfg.doors.https), "", "")) // TLSConfig has the certificate
}

func unlessShut(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// caCommand is `smartmeter ca`.
type caCommand struct {
	Data string `default:"./data" placeholder:"DIR" help:"The hub's data directory: ${default} unless told."`
	PEM  bool   `name:"pem" help:"Print the certificate instead, for programs that are to trust the hub."`
}

// Help is shown by --help.
func (caCommand) Help() string {
	return `Whoever compares this with what a browser or a phone shows knows that nobody is
in between. It is read from the disk, not over the network.`
}

// Run prints what the hub's authority is recognised by.
func (c *caCommand) Run(d *daemon) error {
	files, err := disk.OpenDir(c.Data)
	if err != nil {
		return err
	}
	defer files.Close()
	text, fingerprint, err := ca.Read(files)
	if err != nil {
		return fmt.Errorf("%s has no certificate authority that can be read: %w; a hub makes it when it first starts", c.Data, err)
	}
	if c.PEM {
		_, err = d.stdout.Write(text)
		return err
	}
	_, err = fmt.Fprintf(d.stdout, "SHA-256 %s\n", fingerprint)
	return err
}
