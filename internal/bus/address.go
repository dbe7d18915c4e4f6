package bus

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"

	"github.com/iot-smart-meter/smartmeter"
)

// errURL says what a broker's address looks like, and never what was given: a
// password may be in it.
var errURL = smartmeter.NewError(smartmeter.Invalid, "broker",
	"a broker is given as mqtt://host, mqtt://user:password@host:1883, or mqtts://host for TLS")

// locate takes from cfg where the broker is and how to be admitted.
func (b *External) locate(cfg ExternalConfig) error {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return errURL
	}
	password, _ := u.User.Password()
	b.username = cmp.Or(cfg.Username, u.User.Username())
	b.password = cmp.Or(cfg.Password, password)
	if b.password != "" && b.username == "" { // MQTT 3.1.1 section 3.1.2.9
		return smartmeter.NewError(smartmeter.Invalid, "broker", "a password needs a user name")
	}
	switch u.Scheme {
	case "mqtt", "tcp":
		if cfg.CAFile != "" {
			return smartmeter.NewError(smartmeter.Invalid, "broker", "certificates are for mqtts://")
		}
		b.address = net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "1883"))
		return nil
	case "mqtts":
		b.address = net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "8883"))
		b.tls, err = trust(cfg.CAFile)
		return err
	default:
		return errURL
	}
}

// trust returns a TLS configuration that believes those whose certificates are
// in file, or whom the system believes.
func trust(file string) (*tls.Config, error) {
	if file == "" {
		return &tls.Config{}, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the certificates to trust for the broker: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", file)
	}
	return &tls.Config{RootCAs: roots}, nil
}

// dial opens a network connection to the broker.
func (b *External) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if b.tls != nil {
		dialer := tls.Dialer{Config: b.tls}
		return dialer.DialContext(ctx, "tcp", b.address)
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", b.address)
}
