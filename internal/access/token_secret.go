package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// tokenPrefix begins every API token, so that a leaked one is recognised by
// people and by programs that look for secrets.
const tokenPrefix = "sm_"

// newSecret returns 256 random bits as text.
func newSecret() string {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(random[:])
}

// codeLetters are those that nobody mistakes for another (Crockford's base 32).
const codeLetters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// newCode returns 50 random bits as a person can copy them: "7K2QM-X9P4C".
// Guessing it is subject to the lock-out.
func newCode() string {
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails
	var code strings.Builder
	for i, b := range random {
		if i == len(random)/2 {
			code.WriteByte('-')
		}
		code.WriteByte(codeLetters[b%32])
	}
	return code.String()
}

// foldCode returns a code as newCode writes it, from what a person has typed.
func foldCode(typed string) string {
	letters := strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(typed))
	if len(letters) != 10 {
		return ""
	}
	return letters[:5] + "-" + letters[5:]
}

// digest is how secrets of 256 random bits are kept: nobody can guess what one
// was made of, so no salt and no slow function is needed.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// publicID names a session or a token to people; it gives nothing away.
func publicID(digest string) string { return digest[:12] }
