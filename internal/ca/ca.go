// Package ca is the hub's own certificate authority: it makes encryption work
// from the first minute, in a house that has no name in public.
//
// # What is promised
//
// Open makes an authority the first time and finds the same one ever after:
// who trusts its certificate once, or pins its Fingerprint, need not do so
// again in the life of the hub. Its key never leaves the data directory, where
// only the hub's user can read it.
//
// The server's certificate names all that the hub goes by. It is made again
// when a name or an address joins, and well before it ends, while connections
// come and go: nothing is restarted. It lasts no longer than clients accept
// (397 days). A clock that is years off, as on a machine without a battery,
// mends itself: the next connection after the clock is set gets a certificate
// that is valid then.
//
// Own serves a certificate that a person brought, and notices when its files
// are replaced.
//
// # What it is not
//
// It signs no certificate for anybody but the hub, revokes none, and knows
// neither HTTP nor MQTT.
package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// Directory is where the authority lies, in the data directory.
const Directory = "tls"

// The files hold a key and its certificate, both PEM.
const (
	authorityName = Directory + "/authority.pem"
	serverName    = Directory + "/server.pem"
	maxFile       = 64 << 10
)

// Config is what an Authority needs.
type Config struct {
	// Files is the data directory; must not be nil.
	Files disk.FS
	// Names returns what the hub goes by now; must not be nil. It is asked at
	// most once a minute.
	Names func() Names
	// Logger must not be nil.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Authority signs the hub's certificates. Its methods may be called by several
// goroutines at once.
type Authority struct {
	cfg  Config
	self pair

	mu     sync.Mutex
	leaf   pair
	looked time.Time // at the names and the clock
}

// pair is a key with its certificate.
type pair struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// Open returns the authority of a data directory, which it makes the first
// time.
func Open(cfg Config) (*Authority, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &Authority{cfg: cfg}
	if err := cfg.Files.MkdirAll(Directory); err != nil {
		return nil, err
	}
	self, err := readPair(cfg.Files, authorityName)
	if errors.Is(err, fs.ErrNotExist) {
		self, err = a.found()
	}
	if err != nil {
		return nil, fmt.Errorf("the hub's certificate authority: %w; restore %s from a backup, or remove it for a new one, which every browser and node then has to be told of", err, authorityName)
	}
	a.self = self
	if leaf, err := readPair(cfg.Files, serverName); err == nil {
		a.leaf = leaf // server looks whether it is of use
	}
	return a, nil
}

// lifetime is how long an authority lasts: longer than the machine it runs on.
const lifetime = 20 * 365 * 24 * time.Hour

// slack is for clients whose clock is behind.
const slack = 24 * time.Hour

// found makes a new authority.
func (a *Authority) found() (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, err
	}
	of := "hub"
	if names := a.cfg.Names(); len(names.Hosts) > 0 {
		of = names.Hosts[0]
	}
	public, err := key.PublicKey.Bytes()
	if err != nil {
		return pair{}, err
	}
	sum := sha256.Sum256(public)
	now := a.cfg.Now()
	template := &x509.Certificate{
		// Two hubs of one name must not look alike in a list of authorities.
		Subject:               pkix.Name{Organization: []string{"Smartmeter"}, CommonName: fmt.Sprintf("Smartmeter %.40s %X", of, sum[:4])},
		NotBefore:             now.Add(-slack),
		NotAfter:              later(now, written).Add(lifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	self, err := sign(template, key, pair{key, template})
	if err != nil {
		return pair{}, err
	}
	return self, self.write(a.cfg.Files, authorityName)
}

// written is before any time at which this can run.
var written = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// sign returns key with the certificate that template describes, of issuer.
func sign(template *x509.Certificate, key *ecdsa.PrivateKey, issuer pair) (pair, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.cert, &key.PublicKey, issuer.key)
	if err != nil {
		return pair{}, err
	}
	cert, err := x509.ParseCertificate(der)
	return pair{key, cert}, err
}

// PEM returns the authority's certificate, for others to trust.
func (a *Authority) PEM() []byte { return certPEM(a.self.cert) }

// Fingerprint returns what the authority is recognised by.
func (a *Authority) Fingerprint() Fingerprint { return fingerprint(a.self.cert) }

// Fingerprint is the SHA-256 of a certificate.
type Fingerprint [sha256.Size]byte

func fingerprint(cert *x509.Certificate) Fingerprint { return sha256.Sum256(cert.Raw) }

// String returns it as browsers show it, for people to compare.
func (f Fingerprint) String() string {
	digits := strings.ToUpper(hex.EncodeToString(f[:]))
	var s strings.Builder
	for i := 0; i < len(digits); i += 2 {
		if i > 0 {
			s.WriteByte(':')
		}
		s.WriteString(digits[i : i+2])
	}
	return s.String()
}

// Read returns the authority's certificate of a data directory, without making
// one: fs.ErrNotExist says that there is none.
func Read(files disk.FS) (pemText []byte, print Fingerprint, err error) {
	self, err := readPair(files, authorityName)
	if err != nil {
		return nil, Fingerprint{}, err
	}
	return certPEM(self.cert), fingerprint(self.cert), nil
}

func certPEM(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

func (p pair) write(files disk.FS, name string) error {
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return disk.ReplaceFile(files, name, append(text, certPEM(p.cert)...))
}

var errPair = errors.New("the file does not hold a key and its certificate")

func readPair(files disk.FS, name string) (pair, error) {
	text, err := disk.ReadFile(files, name, maxFile)
	if err != nil {
		return pair{}, err
	}
	first, rest := pem.Decode(text)
	second, _ := pem.Decode(rest)
	if first == nil || second == nil {
		return pair{}, errPair
	}
	parsed, err := x509.ParsePKCS8PrivateKey(first.Bytes)
	if err != nil {
		return pair{}, errors.Join(errPair, err)
	}
	cert, err := x509.ParseCertificate(second.Bytes)
	if err != nil {
		return pair{}, errors.Join(errPair, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(cert.PublicKey) {
		return pair{}, errPair
	}
	return pair{key, cert}, nil
}
