package wire

// Reason says why a payload or a topic was refused. It is an error; its String
// is a stable label for counters. Compare it directly: err == wire.OutOfRange.
type Reason uint8

// The reasons. They are part of the API: labels of counters and metrics.
const (
	_              Reason = iota // nothing is wrong
	TooLarge                     // more than MaxPayload bytes
	NotUTF8                      // not valid UTF-8
	NotJSON                      // not JSON, or something after its end
	TooDeep                      // nested deeper than MaxDepth
	WrongType                    // a string where a number belongs, and the like
	BadNumber                    // no JSON number, or a fraction where only integers count
	OutOfRange                   // beyond what can be measured, or counted
	MissingField                 // a required field is absent, null or empty
	DuplicateField               // a field we know comes twice
	UnknownValue                 // not one of the words that are allowed here
	TooMany                      // more samples or capabilities than allowed
	TooLong                      // a text beyond its limit
	UnknownTopic                 // not below the prefix, or no topic of the contract
	BadNodeID                    // the topic's node id is not one
	reasons                      // how many there are
)

var reasonTexts = [reasons]struct{ label, sentence string }{
	0:              {"none", "nothing is wrong"},
	TooLarge:       {"too_large", "the payload is larger than 16 KiB"},
	NotUTF8:        {"not_utf8", "the payload is not valid UTF-8"},
	NotJSON:        {"not_json", "the payload is not valid JSON"},
	TooDeep:        {"too_deep", "the payload nests deeper than 4 levels"},
	WrongType:      {"wrong_type", "a value in the payload has the wrong type"},
	BadNumber:      {"bad_number", "a number in the payload is not a JSON number of the kind wanted there"},
	OutOfRange:     {"out_of_range", "a value is outside its physical range"},
	MissingField:   {"missing_field", "a required field is missing"},
	DuplicateField: {"duplicate_field", "a field comes twice"},
	UnknownValue:   {"unknown_value", "a text is none of the words known here"},
	TooMany:        {"too_many", "the payload lists more elements than allowed"},
	TooLong:        {"too_long", "a text is longer than allowed"},
	UnknownTopic:   {"unknown_topic", "the topic is not part of the contract"},
	BadNodeID:      {"bad_node_id", "the topic's node id has other characters than A-Z a-z 0-9 . _ - or not 1 to 64 of them"},
}

// String returns the reason's label in snake case, e.g. "not_json".
func (r Reason) String() string {
	if r >= reasons {
		return "unknown"
	}
	return reasonTexts[r].label
}

// Error returns the reason as a sentence.
func (r Reason) Error() string {
	if r >= reasons {
		return "refused for an unknown reason"
	}
	return reasonTexts[r].sentence
}

// err returns r as an error, nil if nothing is wrong.
func (r Reason) err() error {
	if r == 0 {
		return nil
	}
	return r
}
