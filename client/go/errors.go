package cmdmox

import (
	"errors"
	"fmt"
	"strings"
)

// Error is a mistake in the test, or what keeps cmdmox from working. TB.Fatal gets it as its argument.
type Error struct {
	// Reason is one of the stable words of docs/protocol.md, such as "BAD_REGEX": decide by it.
	Reason string
	// Message says what is wrong, and what to do about it.
	Message string
}

func (e *Error) Error() string { return "cmdmox: " + e.Message }

// VerificationError says that the calls were not those that were expected. TB.Error gets it as its argument.
type VerificationError struct {
	// Report is nil where a single assertion failed.
	Report *Report
	text   string
}

// Error is the report, or what the assertion says.
func (e *VerificationError) Error() string { return e.text }

func failure(reason, format string, args ...any) *Error {
	return &Error{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

func mistake(format string, args ...any) *Error { return failure("INVALID_ARGUMENT", format, args...) }

// in puts the name of what the test has called in front of what is wrong with it, in place of the server's word for it.
func in(function string, err error) error {
	var ours *Error
	if errors.As(err, &ours) {
		message := ours.Message
		if word, rest, said := strings.Cut(message, ": "); said && strings.EqualFold(word, function) {
			message = rest
		}
		return &Error{Reason: ours.Reason, Message: function + ": " + message}
	}
	return err
}

// utf8Text is a text for people: what a string of the protocol can hold.
func utf8Text(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "?")
}

// described is a value for a message: its type, and the beginning of what it is.
func described(value any) string {
	text := fmt.Sprintf("%T %#v", value, value)
	if value == nil {
		text = "nil"
	}
	if len(text) > 60 {
		text = text[:57] + "..."
	}
	return strings.ToValidUTF8(text, "?")
}
