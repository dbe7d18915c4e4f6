package bus_test

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/bus"
	"github.com/iot-smart-meter/smartmeter/internal/mqtt"
)

func TestExternalIsRefused(t *testing.T) {
	for _, test := range []struct {
		name, want string
		hooks      mqtt.Hooks
	}{
		{"the password", "it refuses the hub's user name or password", mqtt.Hooks{
			Authenticate: func(mqtt.Connect) (mqtt.Identity, error) { return mqtt.Identity{}, mqtt.ErrCredentials },
		}},
		{"the client", "it refuses the hub's user name or password", mqtt.Hooks{
			Authenticate: func(mqtt.Connect) (mqtt.Identity, error) { return mqtt.Identity{}, errors.New("go away") },
		}},
		{"a subscription", "it refuses the subscription to dev/+/#: let the hub's user read that", mqtt.Hooks{
			Authorize: func(_ mqtt.Identity, access mqtt.Access, topic string, _ bool, _ uint8) bool {
				return access == mqtt.Write || topic != "dev/+/#"
			},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, address := serve(t, mqtt.Config{Hooks: test.hooks})
			log := &logged{}
			b := newExternal(t, address, bus.ExternalConfig{URL: "mqtt://hub:Geheim1@" + address, Logger: log.logger()})
			for _, filter := range []string{"smartmeter/probe", "dev/+/#"} {
				if err := b.Subscribe(filter, func(smartmeter.Message) {}); err != nil {
					t.Fatal(err)
				}
			}
			run(t, b)
			fails(t, b, "the broker at "+address+" is not reachable: "+test.want)
			eventually(t, "the log says so", func() bool { return strings.Contains(log.String(), test.want) })
			if strings.Contains(log.String(), "Geheim1") {
				t.Errorf("the password is in the log:\n%s", log)
			}
		})
	}
}

func TestExternalIntroducesItself(t *testing.T) {
	for _, test := range []struct {
		name           string
		cfg            bus.ExternalConfig
		user, password string
	}{
		{"nobody", bus.ExternalConfig{URL: "mqtt://%s"}, "", ""},
		{"in the address", bus.ExternalConfig{URL: "mqtt://hub:a%%20b%%40c@%s"}, "hub", "a b@c"},
		{"apart", bus.ExternalConfig{URL: "mqtt://%s/", Username: "hub", Password: "p w"}, "hub", "p w"},
		{"apart goes first", bus.ExternalConfig{URL: "mqtt://x:y@%s", Username: "hub", Password: "pw"}, "hub", "pw"},
	} {
		t.Run(test.name, func(t *testing.T) {
			seen := make(chan mqtt.Connect, 1)
			_, address := serve(t, mqtt.Config{Hooks: mqtt.Hooks{Authenticate: func(c mqtt.Connect) (mqtt.Identity, error) {
				seen <- c
				return mqtt.Identity{}, nil
			}}})
			test.cfg.URL = fmt.Sprintf(test.cfg.URL, address)
			run(t, newExternal(t, address, test.cfg))
			c := <-seen
			if c.Username != test.user || string(c.Password) != test.password || !c.Clean || c.Will != nil {
				t.Errorf("connected as %+v", c)
			}
			if len(c.ClientID) != 23 || strings.Trim(c.ClientID, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
				t.Errorf("client id %q is not what every broker accepts", c.ClientID)
			}
		})
	}
}

func TestExternalConfigIsChecked(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]bus.ExternalConfig{
		"nothing":             {},
		"no scheme":           {URL: "raspberrypi"},
		"host and port alone": {URL: "raspberrypi:1883"},
		"no host":             {URL: "mqtt://"},
		"another scheme":      {URL: "http://hub:Geheim1@host"},
		"a path":              {URL: "mqtt://hub:Geheim1@host/dev"},
		"a query":             {URL: "mqtt://hub:Geheim1@host?x=y"},
		"a wrong port":        {URL: "mqtt://hub:Geheim1@host:x"},
		"a space":             {URL: "mqtt://hub:Geheim1 @ho st"},
		"a nameless password": {URL: "mqtt://:Geheim1@host"},
		"a needless CA file":  {URL: "mqtt://hub:Geheim1@host", CAFile: empty},
		"an empty CA file":    {URL: "mqtts://hub:Geheim1@host", CAFile: empty},
		"no CA file":          {URL: "mqtts://hub:Geheim1@host", CAFile: empty + "x"},
	} {
		cfg.Logger = quiet
		if _, err := bus.NewExternal(cfg); err == nil || strings.Contains(err.Error(), "Geheim1") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := bus.NewExternal(bus.ExternalConfig{URL: "mqtt://host"}); err == nil {
		t.Error("no logger, no error")
	}
}

func TestExternalOverTLS(t *testing.T) {
	web := httptest.NewTLSServer(nil) // for its certificate
	defer web.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
	if err := os.WriteFile(ca, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, mqtt.Config{}, tls.NewListener(l, &tls.Config{Certificates: web.TLS.Certificates}))

	b := newExternal(t, "", bus.ExternalConfig{URL: "mqtts://" + l.Addr().String(), CAFile: ca})
	h := &heard{}
	if err := b.Subscribe("probe", h.take); err != nil {
		t.Fatal(err)
	}
	run(t, b)
	eventually(t, "an echo", func() bool {
		_ = b.Publish(smartmeter.Message{Topic: "probe", Payload: []byte("x")})
		return len(h.all()) > 0
	})

	stranger := newExternal(t, "", bus.ExternalConfig{URL: "mqtts://" + l.Addr().String()})
	run(t, stranger)
	fails(t, stranger, "certificate signed by unknown authority")
}
