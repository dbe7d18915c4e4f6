package smartmeter

import "errors"

// Code says what kind of error it is; the API maps it to a status, once.
type Code string

// The error codes.
const (
	Invalid     Code = "invalid"      // the request itself is wrong: Field says where
	NotFound    Code = "not_found"    // no such device, command, …
	Conflict    Code = "conflict"     // refused in the present state, by hub or node
	NoAnswer    Code = "no_answer"    // the node did not answer in time
	Unavailable Code = "unavailable"  // a part of the hub is out of order
	Internal    Code = "internal"     // a mistake of ours
	LoginNeeded Code = "login_needed" // nobody knows who asks
	Denied      Code = "denied"       // it is known who asks, and they may not
	TooMany     Code = "too_many"     // wait, and try again
)

// ErrErasing means that an erasure has begun and is not through yet. Nobody has
// to ask again. Only if the hub stops before the disk has taken the wish is
// everything as it was.
var ErrErasing = errors.New("the erasure is not through yet")

// Error is an error that a person can act on.
type Error struct {
	Code Code
	// Field names the offending input in the words of the API; "" if none.
	Field string
	// Message says what is wrong and what to do about it.
	Message string
	// Err is the cause, nil if there is none.
	Err error
}

// NewError returns an *Error without a cause.
func NewError(code Code, field, message string) *Error {
	return &Error{Code: code, Field: field, Message: message}
}

// Error returns "field: message", and the cause after it.
func (e *Error) Error() string {
	s := e.Message
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of the first *Error in err's chain, Internal if
// there is none, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}
