// Package problem holds the error that a reader gets: what was tried, on what,
// why it failed and what to do, under a code that stays the same between
// releases. The domain returns it, the HTTP API turns it into RFC 9457 problem
// details, the command line prints it.
package problem

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Error is a failure told to a reader.
type Error struct {
	Code Code
	// Message says what was tried, on what, and why it failed: one sentence
	// without a full stop, lower case, like any Go error.
	Message string
	// Mend says what the reader can do about it. It may be empty.
	Mend string
	// RetryAfter is how long to wait before the same is worth trying again;
	// zero says nothing.
	RetryAfter time.Duration
	// Err is the cause, when there is one that adds to Message.
	Err error
}

// New makes an Error of a code, a message and its mend.
func New(code Code, message, mend string) *Error {
	return &Error{Code: code, Message: message, Mend: mend}
}

// Wrap makes an Error around a cause.
func Wrap(code Code, err error, message, mend string) *Error {
	return &Error{Code: code, Message: message, Mend: mend, Err: err}
}

// Error gives the message and its cause, without the mend.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return fmt.Sprintf("%s: %v", e.Message, e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// From finds the Error in err's chain; an error without one is Internal. The
// nil error has none: ask for it only where there is one.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: Internal, Message: err.Error()}
}

// Only tells whether err is of one code alone: each of those that were joined, too.
func Only(err error, code Code) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return !slices.ContainsFunc(joined.Unwrap(), func(err error) bool { return !Only(err, code) })
	}
	return CodeOf(err) == code
}

// CodeOf gives the code of err, or the empty code for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return From(err).Code
}
