package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

// documented are the rows of "Open doors" in docs/security.md: the addresses of
// HTTP, HTTPS, MQTT and MQTT over TLS by command line.
func documented(t *testing.T) map[string]addresses {
	t.Helper()
	text, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]addresses{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(cells[i], " `–")
		}
		if len(cells) == 5 && strings.HasPrefix(cells[0], "smartmeter ") {
			modes[cells[0]] = addresses{cells[1], cells[2], cells[3], cells[4]}
		}
	}
	if len(modes) < 6 {
		t.Fatalf("docs/security.md documents %d modes", len(modes))
	}
	return modes
}

// TestS6DoorsAreTheDocumentedOnes reads each command line as the program does.
func TestS6DoorsAreTheDocumentedOnes(t *testing.T) {
	for command, want := range documented(t) {
		var line grammar
		parser, err := kong.New(&line, kong.Vars{"version": version})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(strings.Fields(command)[1:]); err != nil {
			t.Fatal(err)
		}
		got := line.Hub.addresses()
		if strings.Contains(command, "demo") {
			got = addresses{http: line.Demo.HTTP, mqtt: line.Demo.MQTT}
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(addresses{})); diff != "" {
			t.Errorf("%s (-documented +opened):\n%s", command, diff)
		}
	}
}

// TestS6NothingElseListens runs each mode, on other ports, and asks the kernel
// what the process listens at.
func TestS6NothingElseListens(t *testing.T) {
	for command, doors := range documented(t) {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			args := strings.Fields(command)[1:]
			want := 0
			for flag, addr := range map[string]string{"--http": doors.http, "--https": doors.https, "--mqtt": doors.mqtt, "--mqtts": doors.mqtts} {
				if addr == "" {
					continue
				}
				want++
				if flag != "--mqtt" || !strings.Contains(command, "--mqtt ") {
					args = append(args, flag, "127.0.0.1:0")
				}
			}
			for i, arg := range args {
				args[i] = map[string]string{":1883": "127.0.0.1:0", "mqtt://broker": "mqtt://127.0.0.1:1"}[arg]
				if args[i] == "" {
					args[i] = arg
				}
			}
			p := startReady(t, append(args, "--data", t.TempDir(), "--log-level", "error")...)
			listening := p.listening()
			if len(listening) != want {
				t.Errorf("it listens at %v, want %d doors", listening, want)
			}
			for _, at := range listening {
				if !at.Addr().IsLoopback() {
					t.Errorf("it listens at %v", at)
				}
			}
		})
	}
}

// listening returns where the process accepts TCP connections.
func (p *process) listening() (at []netip.AddrPort) {
	p.t.Helper()
	of := map[string]bool{} // its sockets
	dir := fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid)
	fds, err := os.ReadDir(dir)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, fd := range fds {
		if target, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil {
			of[strings.Trim(strings.TrimPrefix(target, "socket:"), "[]")] = true
		}
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			continue // no IPv6 here
		}
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			// proc_pid_net(5): sl local rem st tx:rx tr:tm retrnsmt uid timeout inode
			field := strings.Fields(lines.Text())
			if len(field) > 9 && field[3] == "0A" && of[field[9]] {
				at = append(at, parseProc(p.t, field[1]))
			}
		}
	}
	return at
}

// parseProc reads an address as the kernel prints it, on little-endian machines.
func parseProc(t *testing.T, text string) netip.AddrPort {
	t.Helper()
	var raw []byte
	var port uint16
	if _, err := fmt.Sscanf(strings.Replace(text, ":", " ", 1), "%x %x", &raw, &port); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	for word := 0; word+4 <= len(raw); word += 4 {
		raw[word], raw[word+1], raw[word+2], raw[word+3] = raw[word+3], raw[word+2], raw[word+1], raw[word]
	}
	ip, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(ip.Unmap(), port)
}

// TestS6EncryptedFromTheFirstMinute starts a hub for the first time and reaches
// it by HTTPS, trusting what it says at /ca.pem, which is what the console says.
func TestS6EncryptedFromTheFirstMinute(t *testing.T) {
	data := t.TempDir()
	hub := startReady(t, "hub", "--data", data, "--log-level", "error",
		"--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--mqtts", "127.0.0.1:0")
	plain, err := http.Get("http://" + hub.http + "/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Body.Close()
	pemText, err := io.ReadAll(plain.Body)
	if err != nil {
		t.Fatal(err)
	}
	var console bytes.Buffer
	if status := (Main{Stdout: &console, Stderr: io.Discard}).Run(t.Context(), []string{"ca", "--pem", "--data", data}); status != 0 || console.String() != string(pemText) {
		t.Fatalf("status %d: the console says\n%s\nand /ca.pem\n%s", status, console.String(), pemText)
	}
	client := trusting(t, pemText)
	answer, err := client.Get("https://" + hub.https + "/api/v1/health")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.ProtoMajor != 2 {
		t.Errorf("%s %s", answer.Proto, answer.Status)
	}
	door, err := tls.Dial("tcp", hub.mqtts, client.Transport.(*http.Transport).TLSClientConfig)
	if err != nil {
		t.Fatal(err)
	}
	door.Close()
}

// trusting returns an HTTP client that trusts one authority.
func trusting(t *testing.T, pemText []byte) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pemText) {
		t.Fatalf("no certificate: %q", pemText)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	t.Cleanup(client.CloseIdleConnections)
	return client
}
