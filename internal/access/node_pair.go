package access

import (
	"crypto/rand"
	"crypto/subtle"
	"slices"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// claimTime is how long a pairing code is good, and how long knocks are listed.
const claimTime = 10 * time.Minute

// maxPairings bounds the codes that wait for their node.
const maxPairings = 20

// leastSecret is the shortest secret that a node may make up, in bytes.
const leastSecret = 22 // 128 bits in base 64

// pairing is a code that waits for its node. It is not kept over a restart.
type pairing struct {
	user string // see smartmeter.PairingCode.User
	id   smartmeter.NodeID
	by   Principal
	ends time.Time
}

// BeginPairing makes up the secret of a pairing code: for one node, and for the
// one of that id if it is not "". A node without a login that has that id is
// replaced.
func (n *Nodes) BeginPairing(id smartmeter.NodeID, by Principal) (secret [6]byte, ends time.Time, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.forgetOldPairings()
	switch r := n.records[id]; {
	case id != "" && !smartmeter.ValidNodeID(string(id)):
		return secret, ends, smartmeter.NewError(smartmeter.Invalid, "id", "a node id has 1 to 64 characters of A-Z a-z 0-9 . _ - and nothing else")
	case r.accepted() && r.Kind != WithoutLogin:
		return secret, ends, smartmeter.NewError(smartmeter.Conflict, "id", "there is a node of this id already; revoke it first")
	case len(n.pairings) >= maxPairings:
		return secret, ends, smartmeter.NewError(smartmeter.Conflict, "", "too many pairing codes wait for their nodes; they end after ten minutes")
	}
	_, _ = rand.Read(secret[:]) // never fails
	ends = n.now().Add(claimTime)
	n.pairings = append(n.pairings, pairing{smartmeter.PairingCode{Secret: secret}.User(), id, by, ends})
	return secret, ends, nil
}

// forgetOldPairings takes back codes that are not good any more. The caller
// holds mu.
func (n *Nodes) forgetOldPairings() {
	n.pairings = slices.DeleteFunc(n.pairings, func(p pairing) bool { return !n.now().Before(p.ends) })
}

// pair lets a node in that offers the secret of a code, with the secret that it
// will come with from now on. The caller holds mu.
func (n *Nodes) pair(a Attempt) (Principal, error) {
	n.forgetOldPairings()
	at := slices.IndexFunc(n.pairings, func(p pairing) bool {
		return subtle.ConstantTimeCompare([]byte(p.user), []byte(a.User)) == 1 && (p.id == "" || p.id == a.ID)
	})
	known := n.records[a.ID]
	switch {
	case !a.Encrypted:
		return Principal{}, refusedPlain
	case at < 0:
		return Principal{}, refusedCode
	case len(a.Password) < leastSecret:
		return Principal{}, refusedSecret
	case known.accepted() && (known.Kind != WithoutLogin || n.pairings[at].id != a.ID):
		return Principal{}, refusedTaken
	}
	by := n.pairings[at].by
	err := n.keep(NodeRecord{
		ID: a.ID, Kind: Paired, SecretSHA256: hashSecret(a.Password),
		AcceptedAt: n.now().UTC().Truncate(time.Second), AcceptedBy: by.String(),
	})
	if err != nil {
		return Principal{}, err
	}
	n.pairings = slices.Delete(n.pairings, at, at+1)
	return Principal{Kind: Node, Name: string(a.ID), From: a.From}, nil
}
