package board

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// browse has a real client of HTTP ask the form, which gets its request in
// pieces of any size.
func browse(t *testing.T, request *http.Request) (page string, asked Access, ok bool) {
	t.Helper()
	here, there := net.Pipe()
	defer here.Close()
	done := make(chan error, 1)
	go func() {
		defer there.Close()
		var err error
		asked, ok, err = ServeForm(struct {
			io.Reader
			io.Writer
		}{iotest.OneByteReader(there), there}, `ESP32-<1>`, new(RequestBuffer))
		done <- err
	}()
	if err := request.Write(here); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(here), request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response.Status, err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return string(body), asked, ok
}

func post(t *testing.T, fields url.Values) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://192.168.4.1/", strings.NewReader(fields.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func fieldsOf(a Access) url.Values {
	return url.Values{"network": {a.Network}, "password": {a.Password}, "broker": {a.Broker}, "port": {"1883"}, "username": {a.Username}, "token": {a.Token}}
}

func TestFormAsksAndTakes(t *testing.T) {
	get, err := http.NewRequest(http.MethodGet, "http://192.168.4.1/generate_204", nil)
	if err != nil {
		t.Fatal(err)
	}
	page, _, ok := browse(t, get)
	if ok || !strings.Contains(page, `<form method="post"`) || strings.Contains(page, "ESP32-<") {
		t.Errorf("%v, page %s", ok, page)
	}
	page, asked, ok := browse(t, post(t, fieldsOf(home())))
	if diff := cmp.Diff(home(), asked); diff != "" || !ok || !strings.Contains(page, "Saved") {
		t.Errorf("%v, page %s (-want +got):\n%s", ok, page, diff)
	}
}

func TestFormSaysWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct{ field, value, says string }{
		"a URL":                 {"broker", "mqtt://hub", "without mqtt://"},
		"port 70000":            {"port", "70000", "1 to 65535"},
		"port word":             {"port", "mqtt", "1 to 65535"},
		"a line end":            {"network", "a\nb", "cannot be read"},
		"something like markup": {"broker", `"><script>`, "host name"},
	} {
		fields := fieldsOf(home())
		fields.Set(c.field, c.value)
		page, _, ok := browse(t, post(t, fields))
		if ok || !strings.Contains(page, c.says) || strings.Contains(page, "<script>") {
			t.Errorf("%s: %v, page %s", name, ok, page)
		}
		if strings.Contains(page, home().Password) || strings.Contains(page, home().Token) {
			t.Errorf("%s: the page tells secrets: %s", name, page)
		}
	}
	fields := fieldsOf(home())
	fields.Del("port")
	if _, asked, ok := browse(t, post(t, fields)); !ok || asked.Port != DefaultPort {
		t.Errorf("without a port: %v, %+v", ok, asked)
	}
}

func TestWhatIsNoRequest(t *testing.T) {
	for name, request := range map[string]string{
		"nothing":                "",
		"half a head":            "POST / HTTP/1.1\r\nContent-Le",
		"half a body":            "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nnetw",
		"a length of -1":         "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
		"a length beyond reason": "POST / HTTP/1.1\r\nContent-Length: 60000\r\n\r\n",
		"another method":         "DELETE / HTTP/1.1\r\n\r\n",
		"a head without end":     "GET / HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 1000),
		"TLS":                    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
	} {
		var said bytes.Buffer
		conn := struct {
			io.Reader
			io.Writer
		}{strings.NewReader(request), &said}
		if _, ok, err := ServeForm(conn, "n1", new(RequestBuffer)); ok || err == nil || said.Len() > 0 {
			t.Errorf("%s: %v, %v, said %q", name, ok, err, &said)
		}
	}
}

func FuzzServeForm(f *testing.F) {
	f.Add("POST / HTTP/1.1\r\nContent-Length: 47\r\n\r\nnetwork=a&broker=%68&password=%zz&port=+1883%20&")
	f.Add("GET / HTTP/1.0\r\n\r\n")
	f.Fuzz(func(t *testing.T, request string) {
		conn := struct {
			io.Reader
			io.Writer
		}{strings.NewReader(request), io.Discard}
		asked, ok, _ := ServeForm(conn, "n1", new(RequestBuffer))
		if !ok {
			return
		}
		if kept, err := DecodeAccess(asked.Append(nil)); err != nil || kept != asked {
			t.Errorf("took %+v, and keeps %+v, %v", asked, kept, err)
		}
	})
}
