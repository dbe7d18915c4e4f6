package access

import (
	"cmp"
	"crypto/rand"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// Nodes knows which nodes may come in. What it says of a node is durable. Its
// methods may be called by several goroutines at once.
type Nodes struct {
	files disk.FS
	now   func() time.Time

	mu       sync.Mutex
	records  map[smartmeter.NodeID]NodeRecord
	pairings []pairing
	window   time.Time // until when knocks are listed
	knocks   []Knock
}

// OpenNodes reads who was accepted. Nil for now means time.Now.
func OpenNodes(files disk.FS, now func() time.Time) (*Nodes, error) {
	if now == nil {
		now = time.Now
	}
	records, err := readNodes(files)
	if err != nil {
		return nil, err
	}
	return &Nodes{files: files, now: now, records: records}, nil
}

// List returns all nodes that were ever accepted, by id.
func (n *Nodes) List() []NodeRecord {
	n.mu.Lock()
	defer n.mu.Unlock()
	return sorted(n.records)
}

func sorted(records map[smartmeter.NodeID]NodeRecord) []NodeRecord {
	return slices.SortedFunc(maps.Values(records), func(a, b NodeRecord) int { return cmp.Compare(a.ID, b.ID) })
}

// Accept lets a node in that can do no login, by its id alone.
func (n *Nodes) Accept(id smartmeter.NodeID, by Principal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.add(NodeRecord{ID: id, Kind: WithoutLogin}, by)
}

// MakeLogin lets a node in that is told a password, which nobody can ask for
// again. Its user name is its id.
func (n *Nodes) MakeLogin(id smartmeter.NodeID, by Principal) (password string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	password = rand.Text()
	return password, n.add(NodeRecord{ID: id, Kind: Login, SecretSHA256: hashSecret([]byte(password))}, by)
}

// add keeps a new record. The caller holds mu.
func (n *Nodes) add(r NodeRecord, by Principal) error {
	switch {
	case !smartmeter.ValidNodeID(string(r.ID)):
		return smartmeter.NewError(smartmeter.Invalid, "id", "a node id has 1 to 64 characters of A-Z a-z 0-9 . _ - and nothing else")
	case n.records[r.ID].accepted():
		return smartmeter.NewError(smartmeter.Conflict, "id", "there is a node of this id already; revoke it first")
	case len(n.records) >= maxNodeRecords && n.records[r.ID].ID == "":
		return smartmeter.NewError(smartmeter.Conflict, "id", "there are as many nodes as the hub can keep apart")
	}
	r.AcceptedAt, r.AcceptedBy = n.now().UTC().Truncate(time.Second), by.String()
	return n.keep(r)
}

// Revoke keeps a node out from now on. Whoever calls it also ends the
// connection that the node has.
func (n *Nodes) Revoke(id smartmeter.NodeID, by Principal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.records[id]
	if !r.accepted() {
		return smartmeter.NewError(smartmeter.NotFound, "id", "no node of this id may come in")
	}
	r.RevokedAt, r.RevokedBy, r.SecretSHA256 = n.now().UTC().Truncate(time.Second), by.String(), ""
	r.Kind = WithoutLogin // without a secret, which it has no more
	return n.keep(r)
}

// keep makes a record durable before it counts. The caller holds mu.
func (n *Nodes) keep(r NodeRecord) error {
	next := maps.Clone(n.records)
	next[r.ID] = r
	if err := writeNodes(n.files, sorted(next)); err != nil {
		return err
	}
	n.records = next
	return nil
}
