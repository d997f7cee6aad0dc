package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strings"

	"cmdmox"
)

// mismatch: something is not as the scenario says.
type mismatch string

func require(condition bool, format string, args ...any) {
	if !condition {
		panic(mismatch(fmt.Sprintf(format, args...)))
	}
}

// object is one of JSON. What is taken from it is gone: what is left at the end nobody knows.
type object map[string]any

func (o object) has(name string) bool { _, there := o[name]; return there }

func take[T any](o object, name string, otherwise T) T {
	value, there := o[name]
	if !there {
		return otherwise
	}
	delete(o, name)
	typed, is := value.(T)
	require(is, "the scenario is malformed: %s is %v", name, value)
	return typed
}

func (o object) text(name string) string { return take(o, name, "") }
func (o object) number(name string) int  { return int(take(o, name, 0.0)) }
func (o object) flag(name string) bool   { return take(o, name, false) }

// bytes is a value that is bytes; "" where it is missing.
func (o object) bytes(name string) string {
	if !o.has(name) {
		return ""
	}
	return bytesOf(take[any](o, name, nil))
}

func (o object) list(name string) []any { return take[[]any](o, name, nil) }

// only is the one key of an object, and what stands there.
func (o object) only() (string, any) {
	require(len(o) == 1, "the scenario is malformed: %v has not one key", o)
	for name, value := range o {
		return name, value
	}
	return "", nil
}

func (o object) empty() {
	for name := range o {
		require(false, "the scenario is malformed: nobody knows %s", name)
	}
}

// objectOf is a copy.
func objectOf(value any) object {
	of, is := value.(map[string]any)
	require(is, "the scenario is malformed: %v is no object", value)
	copied := object{}
	for name, each := range of {
		copied[name] = each
	}
	return copied
}

func bytesOf(value any) string {
	if text, is := value.(string); is {
		return text
	}
	of := objectOf(value)
	if of.has("base64") {
		data, err := base64.StdEncoding.DecodeString(of.text("base64"))
		require(err == nil, "the scenario is malformed: %v", err)
		return string(data)
	}
	text, times := of.text("repeat"), of.number("times")
	of.empty()
	return strings.Repeat(text, times)
}

func listOf(values []any) []string {
	found := []string{}
	for _, value := range values {
		if many, is := value.(map[string]any); is && many["copies"] != nil {
			for i := 0; i < int(many["copies"].(float64)); i++ {
				found = append(found, bytesOf(many["of"]))
			}
			continue
		}
		found = append(found, bytesOf(value))
	}
	return found
}

var place = regexp.MustCompile(` \([^() ]*:[0-9]+\)`)

// told is a text of cmdmox without the places of the test.
func told(text string) string { return place.ReplaceAllString(text, "") }

func line(value any) string {
	if of, is := value.(map[string]any); is && of["go"] != nil {
		return bytesOf(of["go"])
	}
	return bytesOf(value)
}

// expect compares bytes with what is expected.
func expect(what string, expected any, actual string) {
	if of, is := expected.(map[string]any); is {
		if of["any"] != nil {
			return
		}
		if of["contains"] != nil || of["lacks"] != nil {
			parts := objectOf(expected)
			for _, each := range parts.list("contains") {
				require(strings.Contains(actual, line(each)), "%s lacks %q; it is\n%s", what, line(each), shown(actual))
			}
			for _, each := range parts.list("lacks") {
				require(!strings.Contains(actual, line(each)), "%s has %q; it is\n%s", what, line(each), shown(actual))
			}
			parts.empty()
			return
		}
	}
	wanted := ""
	if lines, are := expected.([]any); are {
		for _, each := range lines {
			wanted += line(each) + "\n"
		}
	} else {
		wanted = bytesOf(expected)
	}
	require(wanted == actual, "%s: expected\n%s\nactual\n%s", what, shown(wanted), shown(actual))
}

func shown(data string) string {
	if len(data) > 4000 {
		data = data[:4000]
	}
	return strings.ToValidUTF8(data, "?")
}

func sortedNames(of object) []string {
	names := []string{}
	for name := range of {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// ---- Matchers

func all(values any) []any {
	found := []any{}
	for _, value := range values.([]any) {
		found = append(found, matcherOf(value))
	}
	return found
}

var matchers = map[string]func(said any) any{
	"any":         func(any) any { return cmdmox.Any() },
	"unset":       func(any) any { return cmdmox.Unset() },
	"starts_with": func(said any) any { return cmdmox.StartsWith(bytesOf(said)) },
	"ends_with":   func(said any) any { return cmdmox.EndsWith(bytesOf(said)) },
	"contains":    func(said any) any { return cmdmox.Contains(bytesOf(said)) },
	"regex":       func(said any) any { return cmdmox.Regex(bytesOf(said)) },
	"glob":        func(said any) any { return cmdmox.Glob(bytesOf(said)) },
	"json_equals": func(said any) any { return cmdmox.JSONEquals(bytesOf(said)) },
	"is_a":        func(said any) any { return cmdmox.IsA(cmdmox.Kind(said.(string))) },
	"one_of":      func(said any) any { return cmdmox.OneOf(listOf(said.([]any))...) },
	"predicate":   func(said any) any { return cmdmox.Predicate(said.(string), predicates[said.(string)]) },
}

func init() { // these refer to matcherOf, which refers to them
	matchers["all_of"] = func(said any) any { return cmdmox.AllOf(all(said)...) }
	matchers["any_of"] = func(said any) any { return cmdmox.AnyOf(all(said)...) }
	matchers["not"] = func(said any) any { return cmdmox.Not(matcherOf(said)) }
	matchers["rest"] = func(said any) any { return cmdmox.Rest(matcherOf(said)) }
	matchers["any_order"] = func(said any) any { return cmdmox.AnyOrder(all(said)...) }
	matchers["args_contain"] = func(said any) any { return cmdmox.ArgsContain(all(said)...) }
	matchers["flag"] = func(said any) any {
		of := objectOf(said)
		return cmdmox.Flag(of.text("name"), matcherOf(of["value"]))
	}
}

func matcherOf(value any) any {
	of, is := value.(map[string]any)
	if !is || of["base64"] != nil || of["repeat"] != nil {
		return bytesOf(value)
	}
	name, said := object(of).only()
	make, known := matchers[name]
	require(known, "no such matcher: %s", name)
	return make(said)
}

func asJSON(value any) string {
	text, _ := json.Marshal(value)
	return string(text)
}
