package smartmeter

// Alert is something about a device that a person should know. It is raised
// when it begins and cleared when it is over; in between a person may
// acknowledge it, which says that it was seen and changes nothing else. Of each
// kind a device has one at a time.
type Alert struct {
	ID       string
	Kind     AlertKind
	Severity Severity
	Device   DeviceID
	// Text says in a sentence or two what was noticed, and what to do about it.
	Text     string
	RaisedAt Instant
	// AcknowledgedAt and ClearedAt are 0 as long as that has not happened, and
	// AcknowledgedBy says who it was.
	AcknowledgedAt Instant
	AcknowledgedBy string
	ClearedAt      Instant
}

// Open reports whether what raised the alert is still so.
func (a Alert) Open() bool { return a.ClearedAt == 0 }

// AlertKind says what is wrong.
type AlertKind string

// The kinds of alerts.
const (
	AlertWeldedRelay AlertKind = "welded_relay" // off, and its load draws on
	AlertDeadLoad    AlertKind = "dead_load"    // on, and its load draws nothing
	AlertNotObeying  AlertKind = "not_obeying"  // the node is there and does not answer commands
	AlertCutOff      AlertKind = "cut_off"      // the node cut off by itself, until a person resets it
)

// Severity says how soon somebody should look.
type Severity string

// The severities.
const (
	Info     Severity = "info"     // some day
	Warning  Severity = "warning"  // today
	Critical Severity = "critical" // now
)
