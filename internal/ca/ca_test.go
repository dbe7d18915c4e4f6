package ca

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is an authority whose clock and names a test moves.
type bench struct {
	t     *testing.T
	dir   string
	files *disk.Dir
	now   time.Time
	names Names
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	files, err := disk.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	return &bench{
		t: t, dir: dir, files: files,
		now:   time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC),
		names: Names{Hosts: []string{"pi.local", "pi", "localhost"}, Addresses: []netip.Addr{netip.MustParseAddr("192.168.1.7")}},
	}
}

func (b *bench) open() *Authority {
	b.t.Helper()
	a, err := Open(Config{
		Files: b.files, Logger: slog.New(slog.DiscardHandler),
		Names: func() Names { return b.names }, Now: func() time.Time { return b.now },
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

// leaf returns the certificate that a would show now, if a client that trusts
// a's own accepts it under name.
func (b *bench) leaf(a *Authority, name string) (*x509.Certificate, error) {
	b.t.Helper()
	shown, err := a.server()
	if err != nil {
		b.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(a.PEM()) {
		b.t.Fatal("the authority's certificate is none")
	}
	_, err = shown.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: b.now})
	return shown.Leaf, err
}

func TestS6ClientsThatTrustTheHubAcceptAllItsNames(t *testing.T) {
	b := newBench(t)
	a := b.open()
	for _, name := range []string{"pi.local", "pi", "localhost", "192.168.1.7"} {
		if _, err := b.leaf(a, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.leaf(a, "bank.example"); err == nil {
		t.Error("the hub goes by the name of a bank")
	}
}

func TestS6TheAuthorityOutlivesRestarts(t *testing.T) {
	b := newBench(t)
	first := b.open()
	shown, _ := b.leaf(first, "pi")
	again := b.open()
	if first.Fingerprint() != again.Fingerprint() {
		t.Error("another start, another authority")
	}
	if now, _ := b.leaf(again, "pi"); !now.Equal(shown) {
		t.Error("another start, another certificate: browsers ask again")
	}
	if other := newBench(t).open(); other.Fingerprint() == first.Fingerprint() {
		t.Error("two hubs have one authority")
	}
	years := again.self.cert.NotAfter.Sub(b.now).Hours() / 24 / 365
	if years < 10 {
		t.Errorf("the authority lasts %.1f years", years)
	}
}

func TestS5KeysAreForTheHubsUserOnly(t *testing.T) {
	b := newBench(t)
	b.leaf(b.open(), "pi")
	for _, name := range []string{authorityName, serverName} {
		about, err := os.Stat(filepath.Join(b.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if about.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", name, about.Mode())
		}
	}
}

// TestS6CertificatesRenewThemselves lives through 21 years, a day at a time, in
// which the hub is never restarted.
func TestS6CertificatesRenewThemselves(t *testing.T) {
	b := newBench(t)
	a := b.open()
	made := map[string]bool{}
	for range 19 * 365 {
		leaf, err := b.leaf(a, "pi.local")
		if err != nil {
			t.Fatalf("%s: %v", b.now.Format(time.DateOnly), err)
		}
		if lasts := leaf.NotAfter.Sub(leaf.NotBefore); lasts > 397*24*time.Hour {
			t.Fatalf("a certificate lasts %v", lasts)
		}
		made[leaf.SerialNumber.String()] = true
		b.now = b.now.Add(24 * time.Hour)
	}
	if len(made) < 19 || len(made) > 25 {
		t.Errorf("%d certificates in 19 years", len(made))
	}
}

func TestS6NewNamesAndAddressesJoin(t *testing.T) {
	b := newBench(t)
	a := b.open()
	before, _ := b.leaf(a, "pi")
	b.names = Names{Hosts: append(b.names.Hosts, "meter.example"), Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("2001:db8::1")}}
	b.now = b.now.Add(2 * time.Minute)
	for _, name := range []string{"meter.example", "10.0.0.3", "2001:db8::1"} {
		if _, err := b.leaf(a, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What is gone is no reason for another one.
	after, _ := b.leaf(a, "pi")
	b.names.Addresses = b.names.Addresses[:1]
	b.now = b.now.Add(2 * time.Minute)
	if last, _ := b.leaf(a, "pi"); before.Equal(after) || !after.Equal(last) {
		t.Error("a name that joins makes a new certificate, one that leaves does not")
	}
}

func TestS6AClockThatWasYearsOffMendsItself(t *testing.T) {
	b := newBench(t)
	right := b.now
	b.now = time.Date(1970, 1, 1, 0, 0, 9, 0, time.UTC)
	a := b.open()
	if _, err := b.leaf(a, "pi"); err != nil {
		t.Errorf("in 1970: %v", err)
	}
	for _, now := range []time.Time{right, right.AddDate(19, 0, 0), right.AddDate(1, 0, 0)} {
		b.now = now
		if _, err := b.leaf(a, "pi"); err != nil {
			t.Errorf("%v: %v", now, err)
		}
	}
}

func TestWhatCannotBeNamedIsLeftOut(t *testing.T) {
	got := Names{
		Hosts:     []string{"PI.local.", "pi.local", "a b", "ä", "", "10.1.1.1", "a..b", strings.Repeat("x", 64)},
		Addresses: []netip.Addr{netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("fe80::1"), netip.MustParseAddr("::ffff:10.1.1.1")},
	}.usable()
	if len(got.Hosts) != 1 || got.Hosts[0] != "pi.local" || len(got.Addresses) != 1 || got.Addresses[0].String() != "10.1.1.1" {
		t.Errorf("%v", got)
	}
	if own := MachineNames([]string{"told"}).usable(); len(own.Hosts) < 2 || len(own.Addresses) < 2 {
		t.Errorf("this machine goes by %v", own)
	}
	b := newBench(t)
	b.names = Names{Hosts: []string{"a b"}}
	b.open().server()
}

func TestS9ADamagedAuthorityIsSaid(t *testing.T) {
	b := newBench(t)
	b.open()
	path := filepath.Join(b.dir, authorityName)
	good, _ := os.ReadFile(path)
	for _, bad := range []string{"", "x", string(good[:300]), string(good[300:]), strings.Repeat("x", maxFile+1)} {
		os.WriteFile(path, []byte(bad), 0o600)
		_, err := Open(Config{Files: b.files, Logger: slog.New(slog.DiscardHandler), Names: func() Names { return b.names }})
		if err == nil || !strings.Contains(err.Error(), authorityName) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
	if _, _, err := Read(newBench(t).files); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no authority: %v", err)
	}
}

func TestS6ADamagedServerCertificateIsMadeAgain(t *testing.T) {
	b := newBench(t)
	b.leaf(b.open(), "pi")
	os.WriteFile(filepath.Join(b.dir, serverName), []byte("x"), 0o600)
	if _, err := b.leaf(b.open(), "pi"); err != nil {
		t.Error(err)
	}
	if pemText, print, err := Read(b.files); err != nil || print != b.open().Fingerprint() || len(pemText) == 0 {
		t.Errorf("%v, %v", print, err)
	}
}

func TestS6OldAndWeakTLSIsRefused(t *testing.T) {
	b := newBench(t)
	server := b.open().TLS()
	for name, client := range map[string]*tls.Config{
		"1.0":               {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10},
		"1.1":               {MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11},
		"block chaining":    {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}},
		"no secrecy ahead":  {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}},
		"":                  {},
		"1.2, as phones do": {MaxVersion: tls.VersionTLS12},
	} {
		client.InsecureSkipVerify = true
		refuse := name != "" && !strings.Contains(name, "phones")
		if err := shakeHands(t, server, client); (err != nil) != refuse {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func shakeHands(t *testing.T, server, client *tls.Config) error {
	t.Helper()
	here, there := net.Pipe()
	defer here.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer there.Close()
		_ = tls.Server(there, server).Handshake() // its error is seen on the other end
	}()
	defer func() { here.Close(); <-done }()
	return tls.Client(here, client).Handshake()
}

// TestS6OwnCertificatesAreReplacedInService also meets the moment at which one
// file is new already and the other is not.
func TestS6OwnCertificatesAreReplacedInService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		certFile, keyFile := filepath.Join(b.dir, "cert.pem"), filepath.Join(b.dir, "key.pem")
		bring := func(files ...string) []byte {
			other := newBench(t)
			other.leaf(other.open(), "pi")
			text, _ := os.ReadFile(filepath.Join(other.dir, serverName))
			key, cert, _ := strings.Cut(string(text), "-----BEGIN CERT")
			for _, file := range files {
				os.WriteFile(file, []byte(map[string]string{certFile: "-----BEGIN CERT" + cert + strings.Repeat("\n", len(b.names.Hosts)), keyFile: key}[file]), 0o600)
			}
			b.names.Hosts = append(b.names.Hosts, "x") // the next one has another size
			return text
		}
		if _, err := OpenOwn(certFile, keyFile, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "--tls-cert") {
			t.Errorf("no files: %v", err)
		}
		bring(certFile, keyFile)
		own, err := OpenOwn(certFile, keyFile, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		first := own.server()
		bring(certFile)
		time.Sleep(ownEvery)
		if own.server() != first {
			t.Error("half a certificate is served")
		}
		bring(certFile, keyFile)
		time.Sleep(ownEvery)
		if own.server() == first {
			t.Error("the new one is not served")
		}
		if err := shakeHands(t, own.TLS(), &tls.Config{InsecureSkipVerify: true}); err != nil {
			t.Error(err)
		}
	})
}
