package ca

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Own is a certificate that a person brought, in two PEM files.
type Own struct {
	certFile, keyFile string
	log               *slog.Logger

	mu     sync.Mutex
	loaded *tls.Certificate
	seen   [2]version
	looked time.Time
}

// version tells a file from the one that replaced it.
type version struct {
	size     int64
	modified time.Time
}

// OpenOwn reads a certificate with its chain, and its key.
func OpenOwn(certFile, keyFile string, log *slog.Logger) (*Own, error) {
	o := &Own{certFile: certFile, keyFile: keyFile, log: log}
	return o, o.load()
}

// TLS returns how the hub speaks it, see Authority.TLS.
func (o *Own) TLS() *tls.Config {
	return config(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return o.server(), nil })
}

// ownEvery is how often, at most, the files are looked at.
const ownEvery = 5 * time.Second

// server returns the certificate to show now. Files that do not fit each
// other, as halfway through a renewal, are left until they do.
func (o *Own) server() *tls.Certificate {
	o.mu.Lock()
	defer o.mu.Unlock()
	if time.Since(o.looked) < ownEvery {
		return o.loaded
	}
	o.looked = time.Now()
	now, err := o.versions()
	if err == nil && now == o.seen {
		return o.loaded
	}
	if err := o.load(); err != nil {
		o.seen = now // said once
		o.log.Error("the new certificate cannot be used; the old one goes on", "err", err)
	} else {
		o.log.Info("the certificate was replaced", "file", o.certFile)
	}
	return o.loaded
}

// load reads the files. The caller holds mu.
func (o *Own) load() error {
	seen, err := o.versions()
	if err != nil {
		return fmt.Errorf("the certificate of --tls-cert and --tls-key: %w", err)
	}
	cert, err := tls.LoadX509KeyPair(o.certFile, o.keyFile)
	if err != nil {
		return fmt.Errorf("--tls-cert %s and --tls-key %s: %w", o.certFile, o.keyFile, err)
	}
	o.loaded, o.seen, o.looked = &cert, seen, time.Now()
	return nil
}

func (o *Own) versions() (v [2]version, err error) {
	for i, name := range []string{o.certFile, o.keyFile} {
		about, err := os.Stat(name)
		if err != nil {
			return v, err
		}
		v[i] = version{about.Size(), about.ModTime()}
	}
	return v, nil
}
