package cmdmox

import (
	"strings"

	v1 "cmdmox/internal/v1"
)

// Format is that of a report.
type Format string

// The formats of a report. Verify's is FormatText unless CMOX_REPORT says otherwise.
const (
	FormatText  Format = "text"
	FormatJSON  Format = "json"
	FormatJUnit Format = "junit"
	FormatTAP   Format = "tap"
)

var formats = map[Format]v1.ReportFormat{
	FormatText: v1.ReportFormat_REPORT_FORMAT_UNSPECIFIED, FormatJSON: v1.ReportFormat_REPORT_FORMAT_JSON,
	FormatJUnit: v1.ReportFormat_REPORT_FORMAT_JUNIT, FormatTAP: v1.ReportFormat_REPORT_FORMAT_TAP,
}

// Report is the findings, and their text in the format that was asked for.
type Report struct {
	Passed   bool
	Findings []Finding
	Text     string
}

// Finding is one thing that is to be said.
type Finding struct {
	// Kind is "UNEXPECTED_CALL", "EXCESS_CALL", "ORDER", "UNFULFILLED", "HANDLER_FAILED", ...: FindingKind of the schema.
	Kind    string
	Message string
	// InvocationIDs are the first calls of which it is said, at most 1000; Calls is how many there are.
	InvocationIDs []uint64
	Calls         uint64
	// DoubleID is the expectation it speaks of, or the nearest one; 0: none.
	DoubleID uint64
	// Location is where that was declared: "push_test.go:12", or "".
	Location        string
	ExpectedMinimum uint64
	ExpectedMaximum uint64
	Unbounded       bool // there is no maximum
	ActualCount     uint64
	Differences     []Difference
	// Suggestion is a line of Go that would accept the call.
	Suggestion string
	// Advisory: worth saying, and no failure by itself.
	Advisory bool
	Hint     string
}

// Difference is one of a call and the nearest expectation: its Subject is "argument 2", "stdin", "environment HOME".
type Difference struct {
	Subject, Expected, Actual string
	Equal                     bool
}

func findingOf(message *v1.Finding) Finding {
	maximum, bounded := message.ExpectedUpper.(*v1.Finding_ExpectedMaximum)
	finding := Finding{
		Kind: strings.TrimPrefix(message.Kind.String(), "FINDING_KIND_"), Message: message.Message, InvocationIDs: message.InvocationIds,
		Calls: message.Calls, DoubleID: message.DoubleId, ExpectedMinimum: message.ExpectedMinimum, Unbounded: !bounded,
		ActualCount: message.ActualCount, Suggestion: message.Suggestion, Advisory: message.Advisory, Hint: message.Hint,
	}
	if bounded {
		finding.ExpectedMaximum = maximum.ExpectedMaximum
	}
	if where := message.Location; where.GetFile() != "" {
		finding.Location = Location{File: where.File, Line: int(where.Line)}.String()
	}
	for _, each := range message.Differences {
		finding.Differences = append(finding.Differences, Difference{each.Subject, each.Expected, each.Actual, each.Equal})
	}
	return finding
}

func reportOf(answer *v1.VerifyResponse) *Report {
	report := &Report{Passed: answer.Passed, Text: answer.Text}
	for _, each := range answer.Findings {
		report.Findings = append(report.Findings, findingOf(each))
	}
	return report
}
