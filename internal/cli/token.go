package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/iot-smart-meter/smartmeter"
)

// Who a command is, it says with a token: that of SMARTMETER_TOKEN, of
// --token-file, or the one that `smartmeter login` has kept for this very hub.
// A token is never sent to another hub than the one it was kept for.

// token returns the token for the hub at base; "" if there is none.
func (h *Hub) token(base string) (string, error) {
	if token := os.Getenv("SMARTMETER_TOKEN"); token != "" {
		return strings.TrimSpace(token), nil
	}
	if h.TokenFile != "" {
		text, err := readSecret(h.TokenFile)
		return strings.TrimSpace(text), err
	}
	path, err := keptTokens()
	if err != nil {
		return "", nil // a machine without home has kept none
	}
	text, err := readSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return tokenFor(text, base), err
}

// keptTokens is where login keeps tokens: lines of a hub's address and a token.
func keptTokens() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "smartmeter", "token"), nil
}

func tokenFor(lines, base string) string {
	for line := range strings.Lines(lines) {
		if hub, token, ok := strings.Cut(strings.TrimSpace(line), " "); ok && hub == base {
			return token
		}
	}
	return ""
}

// readSecret reads a file that nobody else may read.
func readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", &smartmeter.Error{Code: smartmeter.Invalid, Message: "read the token", Err: err}
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return "", errorf(smartmeter.Invalid, "%s can be read by others (%v): end the token in it if somebody may have, and chmod 600 the file", path, mode)
	}
	text, err := os.ReadFile(path)
	return string(text), err
}

// keepToken keeps a hub's token in the place of an earlier one; "" for none.
func keepToken(base, token string) (path string, err error) {
	if path, err = keptTokens(); err != nil {
		return "", err
	}
	old, err := readSecret(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	var kept strings.Builder
	for lines := bufio.NewScanner(strings.NewReader(old)); lines.Scan(); {
		if !strings.HasPrefix(lines.Text(), base+" ") {
			fmt.Fprintln(&kept, lines.Text())
		}
	}
	if token != "" {
		fmt.Fprintln(&kept, base, token)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return path, err
	}
	draft := path + ".new"
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	if err := os.WriteFile(draft, []byte(kept.String()), 0o600); err != nil {
		return path, err
	}
	return path, os.Rename(draft, path)
}

// bearer sends a token with every request.
type bearer struct {
	token string
	next  http.RoundTripper // nil means http.DefaultTransport
}

// RoundTrip sends r with the token.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	next := b.next
	if next == nil {
		next = http.DefaultTransport
	}
	if b.token != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return next.RoundTrip(r)
}
