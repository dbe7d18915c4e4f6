package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"net/netip"
	"slices"
	"time"
)

const (
	// leafLifetime is the most that clients take of a server's certificate
	// (CA/Browser Forum, Baseline Requirements 6.3.2: 398 days).
	leafLifetime = 397 * 24 * time.Hour
	// renewBefore its end the certificate is made again.
	renewBefore = 60 * 24 * time.Hour
	// lookEvery is how often, at most, names and clock are looked at.
	lookEvery = time.Minute
)

// TLS returns how the hub speaks it: version 1.2 or later, with forward
// secrecy and authenticated encryption only.
func (a *Authority) TLS() *tls.Config {
	return config(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return a.server() })
}

// config is the same for whatever certificate. Of TLS 1.2 it leaves out what
// Go still offers for old servers: cipher block chaining.
func config(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: get,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		},
	}
}

// server returns the certificate to show now, with the authority's own behind
// it, so that a node can pin that.
func (a *Authority) server() (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.cfg.Now()
	if sinceLook := now.Sub(a.looked); a.looked.IsZero() || sinceLook < 0 || sinceLook >= lookEvery {
		a.looked = now
		if names := a.cfg.Names().usable(); !a.serves(names, now) {
			if err := a.issue(names, now); err != nil {
				return nil, err
			}
		}
	}
	return &tls.Certificate{
		Certificate: [][]byte{a.leaf.cert.Raw, a.self.cert.Raw},
		PrivateKey:  a.leaf.key,
		Leaf:        a.leaf.cert,
	}, nil
}

// serves reports whether the present certificate is of our making, good for
// some time, and has all names. The caller holds mu.
func (a *Authority) serves(names Names, now time.Time) bool {
	cert := a.leaf.cert
	if cert == nil || cert.CheckSignatureFrom(a.self.cert) != nil {
		return false
	}
	if now.Before(cert.NotBefore) || now.After(cert.NotAfter.Add(-renewBefore)) {
		return false
	}
	has := func(ip netip.Addr) bool {
		return slices.ContainsFunc(cert.IPAddresses, func(known net.IP) bool { return known.Equal(ip.AsSlice()) })
	}
	return !slices.ContainsFunc(names.Hosts, func(host string) bool { return !slices.Contains(cert.DNSNames, host) }) &&
		!slices.ContainsFunc(names.Addresses, func(ip netip.Addr) bool { return !has(ip) })
}

// issue makes a new certificate. One that cannot be kept serves all the same:
// the next start makes another. The caller holds mu.
func (a *Authority) issue(names Names, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	end := now.Add(leafLifetime - slack)
	if end.After(a.self.cert.NotAfter) {
		end = a.self.cert.NotAfter
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{Organization: []string{"Smartmeter"}, CommonName: names.Hosts[0]},
		NotBefore:   now.Add(-slack),
		NotAfter:    end,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    names.Hosts,
	}
	for _, ip := range names.Addresses {
		template.IPAddresses = append(template.IPAddresses, ip.AsSlice())
	}
	leaf, err := sign(template, key, a.self)
	if err != nil {
		return err
	}
	a.leaf = leaf
	a.cfg.Logger.Info("made the hub's certificate", "names", names.Hosts, "addresses", names.Addresses, "until", end.Format(time.DateOnly))
	if err := leaf.write(a.cfg.Files, serverName); err != nil {
		a.cfg.Logger.Error("cannot keep the hub's certificate; it is made again at the next start", "err", err)
	}
	return nil
}
