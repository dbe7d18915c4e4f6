package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// NodeKind is how a node shows who it is.
type NodeKind string

// The kinds, best first.
const (
	// Paired nodes made up a secret of their own when they were paired, and come
	// encrypted only.
	Paired NodeKind = "paired"
	// Login nodes were given a user name and a password by a person.
	Login NodeKind = "login"
	// WithoutLogin nodes can do neither. Whoever comes unencrypted with their id
	// is taken for them.
	WithoutLogin NodeKind = "unprotected"
)

// NodeRecord is a node that somebody accepted. It holds no secret, only what
// one is recognised by.
type NodeRecord struct {
	ID           smartmeter.NodeID `json:"id"`
	Kind         NodeKind          `json:"kind"`
	SecretSHA256 string            `json:"secret_sha256,omitempty"`
	AcceptedAt   time.Time         `json:"accepted_at"`
	AcceptedBy   string            `json:"accepted_by"` // as Principal.String
	// RevokedAt is zero while the node may come in.
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	RevokedBy string    `json:"revoked_by,omitempty"`
}

func (r NodeRecord) accepted() bool { return r.ID != "" && r.RevokedAt.IsZero() }

// knows reports whether a secret is the node's. Secrets are random and long, so
// their hash needs no salt and no slowness.
func (r NodeRecord) knows(secret []byte) bool {
	return r.SecretSHA256 != "" && subtle.ConstantTimeCompare([]byte(r.SecretSHA256), []byte(hashSecret(secret))) == 1
}

func hashSecret(secret []byte) string {
	sum := sha256.Sum256(secret)
	return hex.EncodeToString(sum[:])
}

// nodesName is the file of the records, in the data directory.
const nodesName = "nodes.json"

// maxNodesFile bounds it, in bytes; maxNodeRecords its records.
const (
	maxNodesFile   = 8 << 20
	maxNodeRecords = 5000
)

type nodesFile struct {
	Nodes []NodeRecord `json:"nodes"`
}

func readNodes(files disk.FS) (map[smartmeter.NodeID]NodeRecord, error) {
	text, err := disk.ReadFile(files, nodesName, maxNodesFile)
	if errors.Is(err, fs.ErrNotExist) {
		return map[smartmeter.NodeID]NodeRecord{}, nil
	}
	var file nodesFile
	if err == nil {
		err = json.Unmarshal(text, &file)
	}
	records := make(map[smartmeter.NodeID]NodeRecord, len(file.Nodes))
	for _, r := range file.Nodes {
		if err == nil && !r.sound() {
			err = fmt.Errorf("the record of %q is not as it was written", r.ID)
		}
		records[r.ID] = r
	}
	if err != nil {
		return nil, fmt.Errorf("%s, which says which nodes may come in, cannot be read: %w; restore it from a backup, or remove it and accept all nodes anew", nodesName, err)
	}
	return records, nil
}

// sound reports whether a record can be true.
func (r NodeRecord) sound() bool {
	hash, err := hex.DecodeString(r.SecretSHA256)
	switch r.Kind {
	case Paired, Login:
		return smartmeter.ValidNodeID(string(r.ID)) && err == nil && len(hash) == sha256.Size
	case WithoutLogin:
		return smartmeter.ValidNodeID(string(r.ID)) && r.SecretSHA256 == ""
	default:
		return false
	}
}

func writeNodes(files disk.FS, nodes []NodeRecord) error {
	text, err := json.MarshalIndent(nodesFile{nodes}, "", "  ")
	if err == nil {
		err = disk.ReplaceFile(files, nodesName, append(text, '\n'))
	}
	if err != nil {
		return &smartmeter.Error{Code: smartmeter.Unavailable, Message: "the hub cannot keep which nodes may come in", Err: err}
	}
	return nil
}
