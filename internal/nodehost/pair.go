package nodehost

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// Pairing makes a node and a hub known to each other, in one CONNECT:
//
//   - The node connects by TLS and looks at the chain that it is shown. One of
//     the certificates must begin, as SHA-256, like the code says, and the
//     others must follow from it. Then it is the hub that made the code.
//   - The user name is the code's secret. The password is one that the node
//     makes up, and comes with ever after, its id for a user name.
//
// Everything is on the disk before the hub can have heard of it; a node that
// loses its power, or the answer, pairs again with the same words. Whoever has
// no code can neither read what is said nor take one of the two places. See
// docs/protocol.md.

// savedHub is the setting that holds what a node and its hub know each other
// by.
const savedHub = "hub"

// hubKnown is that.
type hubKnown struct {
	// Code is the SHA-256 of the pairing code that this came from: another code
	// is for another beginning.
	Code string `json:"code_sha256"`
	// Secret is the node's password at the hub.
	Secret string `json:"secret"`
	// Authority is the certificate that the hub is recognised by, DER; nil until
	// it was seen.
	Authority []byte `json:"authority,omitempty"`
}

// identify gives broker what the node knows the hub by, and is known by to it.
// Without a pairing code, now or earlier, it changes nothing.
func identify(broker *Broker, id smartmeter.NodeID, pairing string, in settings) error {
	known, err := loadHub(in)
	if err != nil {
		return err
	}
	if pairing == "" && known.Secret == "" {
		return nil
	}
	if broker.secure() == nil {
		return smartmeter.NewError(smartmeter.Invalid, "mqtt", "a paired node comes encrypted: give the hub as mqtts://host")
	}
	broker.Username, broker.Password = string(id), known.Secret
	verify := authority{der: known.Authority}
	if pairing != "" {
		code, err := smartmeter.ParsePairingCode(pairing)
		if err != nil {
			return err
		}
		if known, err = beginWith(code, known, in); err != nil {
			return err
		}
		broker.Username, broker.Password = code.User(), known.Secret
		verify = authority{
			der: known.Authority, begins: code.Authority[:],
			found: func(der []byte) error { known.Authority = der; return saveHub(in, known) },
		}
	}
	broker.TLS = verify.config()
	return nil
}

// beginWith returns what the node has made up for a code, the first time now.
func beginWith(code smartmeter.PairingCode, known hubKnown, in settings) (hubKnown, error) {
	sum := sha256.Sum256([]byte(code.String()))
	if of := hex.EncodeToString(sum[:]); known.Code != of {
		known = hubKnown{Code: of, Secret: rand.Text() + rand.Text()} // 260 bits
		return known, saveHub(in, known)
	}
	return known, nil
}

func loadHub(in settings) (known hubKnown, err error) {
	text, err := in.Load(savedHub)
	if err == nil && text != nil {
		err = json.Unmarshal(text, &known)
	}
	if err != nil {
		return known, fmt.Errorf("what this node knows its hub by cannot be read: %w; remove it from --data and pair anew", err)
	}
	return known, nil
}

func saveHub(in settings, known hubKnown) error {
	text, err := json.Marshal(known)
	if err != nil {
		return err
	}
	return in.Save(savedHub, text)
}

// authority is the certificate that a hub is recognised by.
type authority struct {
	der    []byte // nil if it was not seen yet
	begins []byte // of its SHA-256, as the pairing code has it
	// found keeps it. Whether the server has its key is not yet known then, and
	// no matter: it is the hub's either way, and without the key the handshake
	// fails.
	found func(der []byte) error
}

// config returns a TLS that trusts the authority and nobody else. Names do not
// matter: whoever else could show a certificate of it, would be the hub.
func (a *authority) config() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // VerifyConnection does it, also when a session is resumed
		VerifyConnection:   func(s tls.ConnectionState) error { return a.verify(s.PeerCertificates) },
	}
}

var errStranger = errors.New("whoever answers there is not the hub that this node was paired with; if the hub has begun anew, pair again with a new code")

// verify reports whether a chain begins at a server and ends at the authority.
func (a *authority) verify(chain []*x509.Certificate) error {
	for _, candidate := range chain[min(1, len(chain)):] {
		sum := sha256.Sum256(candidate.Raw)
		if a.der != nil && !bytes.Equal(a.der, candidate.Raw) || a.der == nil && (a.begins == nil || !bytes.HasPrefix(sum[:], a.begins)) {
			continue
		}
		roots := x509.NewCertPool()
		roots.AddCert(candidate)
		if _, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, CurrentTime: clockFor(chain[0])}); err != nil {
			return fmt.Errorf("the hub's certificate: %w", err)
		}
		if a.der == nil {
			a.der = candidate.Raw
			return a.found(candidate.Raw)
		}
		return nil
	}
	return errStranger
}

// clockFor returns the time to judge a certificate by. A node without a
// battery wakes up in the past, and learns the time by and by, or never: it
// does not know better than the certificate when that began.
func clockFor(cert *x509.Certificate) time.Time {
	if now := time.Now(); now.After(cert.NotBefore) {
		return now
	}
	return cert.NotBefore.Add(time.Second)
}

// secure returns the TLS of a broker whose URL asks for it, else nil.
func (b *Broker) secure() *tls.Config {
	if !b.encrypted() {
		return nil
	}
	if b.TLS != nil {
		return b.TLS
	}
	address, err := b.address()
	if err != nil {
		return nil
	}
	host, _, _ := net.SplitHostPort(address)
	return &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
}
