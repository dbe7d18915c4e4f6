package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/iot-smart-meter/smartmeter"
)

// The work of argon2id: OWASP's least, which a small Raspberry Pi still does
// within a second or so.
const (
	hashMemoryKiB = 19 << 10
	hashPasses    = 2
	hashBytes     = 32
	saltBytes     = 16
)

// Bounds of passwords, in characters and bytes. Length is what counts; rules
// about kinds of characters only make people write them down.
const (
	leastPassword = 10
	mostPassword  = 256
)

// hasher turns passwords into hashes, one at a time, so that a flood of logins
// takes the memory of one.
type hasher struct {
	turn chan struct{}
	done atomic.Int64 // hashes made
}

func newHasher() *hasher { return &hasher{turn: make(chan struct{}, 1)} }

// hash returns a password's hash in the PHC string format.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails
	key, err := h.derive(ctx, password, work{hashMemoryKiB, hashPasses}, salt)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, hashMemoryKiB, hashPasses, b64(salt), b64(key)), nil
}

// matches reports whether a password has the hash. An empty hash is nobody's,
// and costs as much time as any other.
func (h *hasher) matches(ctx context.Context, hash, password string) (bool, error) {
	made, salt, want, err := parseHash(hash)
	if hash == "" {
		made, salt, want, err = work{hashMemoryKiB, hashPasses}, make([]byte, saltBytes), nil, nil
	}
	if err != nil {
		return false, err
	}
	got, err := h.derive(ctx, password, made, salt)
	return err == nil && subtle.ConstantTimeCompare(got, want) == 1, err
}

type work struct{ memoryKiB, passes uint32 }

// derive waits for its turn, or until ctx ends.
func (h *hasher) derive(ctx context.Context, password string, w work, salt []byte) ([]byte, error) {
	select {
	case h.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.turn }()
	h.done.Add(1)
	return argon2.IDKey([]byte(password), salt, w.passes, w.memoryKiB, 1, hashBytes), nil
}

// maxWork bounds what a file may ask for: eight times what is written today.
const maxWork = 8

func parseHash(hash string) (w work, salt, key []byte, err error) {
	parts := strings.Split(hash, "$")
	broken := fmt.Errorf("a password hash is not of the form $argon2id$v=%d$m=,t=,p=1$salt$hash", argon2.Version)
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return w, nil, nil, broken
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=1", &w.memoryKiB, &w.passes); err != nil {
		return w, nil, nil, broken
	}
	if w.memoryKiB < 8 || w.memoryKiB > maxWork*hashMemoryKiB || w.passes < 1 || w.passes > maxWork*hashPasses {
		return w, nil, nil, broken
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
	key, keyErr := base64.RawStdEncoding.DecodeString(parts[5])
	if saltErr != nil || keyErr != nil || len(salt) < saltBytes/2 || len(key) != hashBytes {
		return w, nil, nil, broken
	}
	return w, salt, key, nil
}

// checkPassword refuses passwords that are guessed first.
func checkPassword(field, name, password string) error {
	switch {
	case utf8.RuneCountInString(password) < leastPassword:
		return smartmeter.NewError(smartmeter.Invalid, field, fmt.Sprintf("must have at least %d characters: a few words in a row are easy to remember", leastPassword))
	case len(password) > mostPassword:
		return smartmeter.NewError(smartmeter.Invalid, field, fmt.Sprintf("must have at most %d bytes", mostPassword))
	case strings.Trim(password, password[:1]) == "":
		return smartmeter.NewError(smartmeter.Invalid, field, "must not be one character over and over")
	case strings.Contains(strings.ToLower(password), name) && len(password) < len(name)+leastPassword/2:
		return smartmeter.NewError(smartmeter.Invalid, field, "must not be little more than the name")
	}
	return nil
}
