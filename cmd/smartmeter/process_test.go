package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for another process; nothing depends on how long
// it really takes.
const patience = 20 * time.Second

// process is the real program, running.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan error
	// The doors are from the ready line; empty for programs without one.
	http, https, mqtt, mqtts string
	// client trusts the hub's authority; nil for one that is asked unencrypted.
	client *http.Client
	// token says who asks a hub that wants to know; "" for nobody.
	token string
	said  *testLog
}

// start runs the program with args until the test ends.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p, stdout := launch(t, args...)
	go io.Copy(io.Discard, stdout)
	return p
}

// startReady runs the program and returns when it says that it is ready.
func startReady(t *testing.T, args ...string) *process {
	t.Helper()
	p, stdout := launch(t, args...)
	ready := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "ready ") {
				ready <- lines.Text()
			}
		}
	}()
	select {
	case line := <-ready:
		for word := range strings.FieldsSeq(line) {
			switch key, addr, _ := strings.Cut(word, "="); key {
			case "http":
				p.http = addr
			case "https":
				p.https = addr
			case "mqtt":
				p.mqtt = addr
			case "mqtts":
				p.mqtts = addr
			}
		}
	case err := <-p.done:
		p.done <- err
		t.Fatalf("smartmeter %v ended before it was ready: %v", args, err)
	case <-time.After(patience):
		t.Fatalf("smartmeter %v is not ready after %v", args, patience)
	}
	return p
}

func launch(t *testing.T, args ...string) (*process, io.Reader) {
	t.Helper()
	cmd := exec.Command("smartmeter", args...) // the test binary itself, see TestMain
	said := &testLog{console: console{next: io.Discard}, t: t, name: args[0]}
	cmd.Stderr = said
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, said: said, done: make(chan error, 1)}
	go func() { p.done <- cmd.Wait() }()
	t.Cleanup(p.kill)
	return p, stdout
}

// kill ends the program like a power cut would, as far as a process can.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.done <- <-p.done
}

// stop asks the program to end and returns how it did.
func (p *process) stop() error {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	select {
	case err := <-p.done:
		p.done <- err
		return err
	case <-time.After(patience):
		return errors.New("does not end when asked to")
	}
}

// testLog shows what a program says on its standard error, until the test ends.
type testLog struct {
	console
	t    *testing.T
	name string
}

func (l *testLog) Write(p []byte) (int, error) {
	_, _ = l.console.Write(p)
	if l.t.Context().Err() == nil {
		l.t.Logf("%s: %s", l.name, strings.TrimRight(string(p), "\n"))
	}
	return len(p), nil
}

// call asks the program's API and decodes its answer into out, numbers as they
// were written.
func (p *process) call(method, path, body string, out any) int {
	p.t.Helper()
	client, base := http.DefaultClient, "http://"+p.http
	if p.client != nil {
		client, base = p.client, "https://"+p.https
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, base+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if p.token != "" {
		req.Header.Set("Authorization", "Bearer "+p.token)
	}
	resp, err := client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if out == nil {
		return resp.StatusCode
	}
	decoder := json.NewDecoder(resp.Body)
	decoder.UseNumber()
	if err := decoder.Decode(out); err != nil {
		p.t.Fatalf("%s %s: %d: %v", method, path, resp.StatusCode, err)
	}
	return resp.StatusCode
}

// firstRun makes the hub's first account, and a token with which call asks from
// then on.
func (p *process) firstRun() {
	p.t.Helper()
	scheme, addr, client := "http", p.http, http.DefaultClient
	if p.client != nil {
		scheme, addr, client = "https", p.https, p.client
	}
	send := func(path, body string, cookies []*http.Cookie, out any) []*http.Cookie {
		req, err := http.NewRequestWithContext(p.t.Context(), "POST", scheme+"://"+addr+path, strings.NewReader(body))
		if err != nil {
			p.t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		for _, c := range cookies {
			req.AddCookie(c)
		}
		resp, err := client.Do(req)
		if err != nil {
			p.t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(out); err != nil || resp.StatusCode != http.StatusOK {
			p.t.Fatalf("POST %s: %d: %v", path, resp.StatusCode, err)
		}
		return resp.Cookies()
	}
	cookies := send("/api/v1/first-run", `{"name":"anna","password":"correct horse battery","code":"`+p.said.code()+`"}`, nil, new(any))
	var made struct{ Secret string }
	send("/api/v1/tokens", `{"label":"test","role":"admin"}`, cookies, &made)
	p.token = made.Secret
}

// apiDevice is what the tests look at of a device.
type apiDevice struct {
	ID       string
	Online   bool
	LastSeen *time.Time `json:"last_seen"`
	Latest   map[string]any
	Relay    struct {
		State   string
		Command *struct{ State string }
	}
}

func (p *process) device(id string) (d apiDevice, found bool) {
	p.t.Helper()
	var list struct{ Devices []apiDevice }
	p.call("GET", "/api/v1/devices", "", &list)
	for _, d := range list.Devices {
		if d.ID == id {
			return d, true
		}
	}
	return d, false
}

// apiReadings are columns of readings.
type apiReadings struct {
	T       []json.Number
	Voltage []json.Number
	Power   []json.Number
	Energy  []json.Number `json:"energy_wh"`
}

func (p *process) readings(id string) apiReadings {
	p.t.Helper()
	var r apiReadings
	if status := p.call("GET", "/api/v1/devices/"+id+"/readings", "", &r); status != 200 {
		p.t.Fatalf("readings of %s: %d", id, status)
	}
	return r
}

// eventually returns when check does without an error.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %v", what, patience, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func readFile(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Sprint(err)
	}
	return strings.TrimSpace(string(text))
}
