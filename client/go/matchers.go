package cmdmox

import (
	"encoding/json"
	"strings"

	v1 "cmdmox/internal/v1"
)

// Where a matcher may stand (`any` in the signatures), a string or []byte means equality, and a func(string) bool what it
// accepts.

const nestingMost = 64

// Matcher judges one value of a call: an argument, stdin, a variable, the working directory.
type Matcher interface {
	node(t *table, depth int) (*v1.MatcherNode, error)
}

// ArgsMatcher judges several arguments together: in the list of WithMatchingArgs only.
type ArgsMatcher interface {
	item(t *table) (*v1.ArgvItem, error)
	word() string
}

// table is the matchers of one message; they refer to each other by their numbers in it.
type table struct {
	nodes        []*v1.MatcherNode
	addPredicate func(*predicate) (uint64, error)
}

// add gives the number of a matcher, of which children have lower ones.
func (t *table) add(said any, depth int) (uint32, error) {
	if depth > nestingMost {
		return 0, failure("BAD_MATCHER", "matchers are nested more than %d deep", nestingMost)
	}
	matcher, err := matcherOf(said)
	if err != nil {
		return 0, err
	}
	node, err := matcher.node(t, depth)
	if err != nil {
		return 0, err
	}
	t.nodes = append(t.nodes, node)
	return uint32(len(t.nodes) - 1), nil
}

func (t *table) addAll(said []any, depth int) (*v1.IndexList, error) {
	list := &v1.IndexList{}
	for _, each := range said {
		index, err := t.add(each, depth)
		if err != nil {
			return nil, err
		}
		list.Indexes = append(list.Indexes, index)
	}
	return list, nil
}

func (t *table) item(said any) (*v1.ArgvItem, error) {
	if several, ok := said.(ArgsMatcher); ok {
		return several.item(t)
	}
	index, err := t.add(said, 0)
	return &v1.ArgvItem{Kind: &v1.ArgvItem_One{One: index}}, err
}

// matcherOf is what stands where a matcher may stand, as one.
func matcherOf(said any) (Matcher, error) {
	switch said := said.(type) {
	case Matcher:
		return said, nil
	case string:
		return Eq(said), nil
	case []byte:
		return Eq(string(said)), nil
	case func(string) bool:
		return &predicate{function: said}, nil
	case ArgsMatcher:
		return nil, failure("BAD_MATCHER", "%s stands only in the list of WithMatchingArgs(), not inside another matcher and not for one "+
			"value; give one matcher for each argument there", said.word())
	}
	return nil, failure("BAD_MATCHER", "%s is no matcher: give a string, []byte, a matcher, or a func(string) bool", described(said))
}

// simple is a matcher that needs no others.
type simple struct{ made *v1.MatcherNode }

func (m simple) node(*table, int) (*v1.MatcherNode, error) { return m.made, nil }

// Eq is exactly this.
func Eq(value string) Matcher {
	return simple{&v1.MatcherNode{Test: &v1.MatcherNode_Equals{Equals: []byte(value)}}}
}

// Any is anything.
func Any() Matcher { return simple{&v1.MatcherNode{Test: &v1.MatcherNode_Any{Any: true}}} }

// StartsWith is what begins so.
func StartsWith(prefix string) Matcher {
	return simple{&v1.MatcherNode{Test: &v1.MatcherNode_StartsWith{StartsWith: []byte(prefix)}}}
}

// EndsWith is what ends so.
func EndsWith(suffix string) Matcher {
	return simple{&v1.MatcherNode{Test: &v1.MatcherNode_EndsWith{EndsWith: []byte(suffix)}}}
}

// Contains is what has this in it.
func Contains(part string) Matcher {
	return simple{&v1.MatcherNode{Test: &v1.MatcherNode_Contains{Contains: []byte(part)}}}
}

// Regex is a regular expression of PCRE2 over bytes, found anywhere: write ^ and $ for the whole value.
func Regex(pattern string) Matcher {
	return simple{&v1.MatcherNode{Test: &v1.MatcherNode_Regex{Regex: []byte(pattern)}}}
}

// Glob is of the whole value: * any bytes, ? one byte, [a-z] [!a-z] one of a set; a backslash takes the next as it is.
func Glob(pattern string) Matcher {
	return simple{&v1.MatcherNode{Test: &v1.MatcherNode_Glob{Glob: []byte(pattern)}}}
}

// Kind is what IsA tells apart.
type Kind string

// The kinds of IsA: a whole number, a number, a bool (true false yes no on off 1 0), a path (not empty), a JSON document.
const (
	Int   Kind = "int"
	Float Kind = "float"
	Bool  Kind = "bool"
	Path  Kind = "path"
	JSON  Kind = "json"
)

var kinds = map[Kind]v1.ValueType{
	Int: v1.ValueType_VALUE_TYPE_INT, Float: v1.ValueType_VALUE_TYPE_FLOAT, Bool: v1.ValueType_VALUE_TYPE_BOOL,
	Path: v1.ValueType_VALUE_TYPE_PATH, JSON: v1.ValueType_VALUE_TYPE_JSON,
}

type isA struct{ kind Kind }

// IsA is a text that stands for a value of this kind.
func IsA(kind Kind) Matcher { return isA{kind} }

func (m isA) node(*table, int) (*v1.MatcherNode, error) {
	kind, known := kinds[m.kind]
	if !known {
		return nil, failure("BAD_MATCHER", "IsA does not know %q: give Int, Float, Bool, Path or JSON", string(m.kind))
	}
	return &v1.MatcherNode{Test: &v1.MatcherNode_IsA{IsA: kind}}, nil
}

type jsonEquals struct{ document any }

// JSONEquals is the same JSON document, given as its text, or as what json.Marshal takes.
func JSONEquals(document any) Matcher { return jsonEquals{document} }

func (m jsonEquals) node(*table, int) (*v1.MatcherNode, error) {
	var text []byte
	switch document := m.document.(type) {
	case string:
		text = []byte(document)
	case []byte:
		text = document
	default:
		var err error
		if text, err = json.Marshal(document); err != nil {
			return nil, failure("BAD_MATCHER", "JSONEquals: %v", err)
		}
	}
	return &v1.MatcherNode{Test: &v1.MatcherNode_JsonEquals{JsonEquals: text}}, nil
}

type ofOthers struct {
	matchers []any
	make     func(*v1.IndexList) *v1.MatcherNode
}

func (m ofOthers) node(t *table, depth int) (*v1.MatcherNode, error) {
	list, err := t.addAll(m.matchers, depth+1)
	return m.make(list), err
}

func anyOf(list *v1.IndexList) *v1.MatcherNode {
	return &v1.MatcherNode{Test: &v1.MatcherNode_AnyOf{AnyOf: list}}
}

// AllOf is what each of them accepts.
func AllOf(matchers ...any) Matcher {
	return ofOthers{matchers, func(list *v1.IndexList) *v1.MatcherNode {
		return &v1.MatcherNode{Test: &v1.MatcherNode_AllOf{AllOf: list}}
	}}
}

// AnyOf is what one of them accepts.
func AnyOf(matchers ...any) Matcher { return ofOthers{matchers, anyOf} }

// OneOf is one of these texts.
func OneOf(texts ...string) Matcher {
	matchers := make([]any, len(texts))
	for i, text := range texts {
		matchers[i] = text
	}
	return ofOthers{matchers, anyOf}
}

type not struct{ matcher any }

// Not is what it does not accept.
func Not(matcher any) Matcher { return not{matcher} }

func (m not) node(t *table, depth int) (*v1.MatcherNode, error) {
	index, err := t.add(m.matcher, depth+1)
	return &v1.MatcherNode{Test: &v1.MatcherNode_Not{Not: index}}, err
}

type predicate struct {
	name     string
	function func(string) bool
}

// Predicate is what a function of the test's accepts; reports call it by this name. It is called on a goroutine of its own,
// while the code under test waits, once for a value in a call, perhaps for a double that does not take the call in the end: it must
// do nothing but judge. A panic in it fails the call and the test.
func Predicate(name string, accepts func(value string) bool) Matcher {
	return &predicate{name, accepts}
}

func (m *predicate) node(t *table, _ int) (*v1.MatcherNode, error) {
	if m.function == nil {
		return nil, failure("BAD_MATCHER", "the predicate is nil: give a func(string) bool")
	}
	number, err := t.addPredicate(m)
	if err != nil {
		return nil, err
	}
	name := utf8Text(m.name)
	if name == "" {
		name = nameOf(m.function)
	}
	return &v1.MatcherNode{Test: &v1.MatcherNode_Callback{Callback: number}, CallbackName: name}, nil
}

func (m *predicate) accepts(value string) bool { return m.function(value) }

type unset struct{}

// Unset is for WithMatchingEnv: the variable is not there.
func Unset() Matcher { return unset{} }

func (unset) node(*table, int) (*v1.MatcherNode, error) {
	return nil, failure("BAD_MATCHER", "Unset is for variables: WithMatchingEnv(\"NAME\", cmdmox.Unset())")
}

// ---- Several arguments

type several struct {
	name string
	make func(t *table) (*v1.ArgvItem, error)
}

func (m several) item(t *table) (*v1.ArgvItem, error) { return m.make(t) }
func (m several) word() string                        { return m.name }

// Rest is all arguments that are left, none to many, each accepted by the matcher; last in the list.
func Rest(matcher any) ArgsMatcher {
	return several{"Rest", func(t *table) (*v1.ArgvItem, error) {
		index, err := t.add(matcher, 0)
		return &v1.ArgvItem{Kind: &v1.ArgvItem_Rest{Rest: index}}, err
	}}
}

// AnyOrder is as many arguments as matchers, next to each other, in any order; at most 64.
func AnyOrder(matchers ...any) ArgsMatcher {
	return several{"AnyOrder", func(t *table) (*v1.ArgvItem, error) {
		list, err := t.addAll(matchers, 0)
		return &v1.ArgvItem{Kind: &v1.ArgvItem_AnyOrder{AnyOrder: list}}, err
	}}
}

// ArgsContain is all arguments that are left: each matcher accepts another one of them, in any order, and others may stand among
// them; last in the list, at most 64.
func ArgsContain(matchers ...any) ArgsMatcher {
	return several{"ArgsContain", func(t *table) (*v1.ArgvItem, error) {
		list, err := t.addAll(matchers, 0)
		return &v1.ArgvItem{Kind: &v1.ArgvItem_Contains{Contains: list}}, err
	}}
}

// Flag is "--name value" or "--name=value".
func Flag(name string, value any) ArgsMatcher {
	return several{"Flag", func(t *table) (*v1.ArgvItem, error) {
		index, err := t.add(value, 0)
		return &v1.ArgvItem{Kind: &v1.ArgvItem_Flag{Flag: &v1.FlagValue{Name: []byte(name), Value: index}}}, err
	}}
}

func variableName(name string) error {
	if name == "" || strings.ContainsAny(name, "=\x00") {
		return mistake("%q is no name of a variable: it is a text, not empty, without '=' and NUL", name)
	}
	return nil
}
