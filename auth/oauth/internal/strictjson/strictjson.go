// Package strictjson reads JSON objects of strangers: names that occur twice,
// deep nesting, invalid UTF-8 and anything behind the object are refused, so
// that two readers of one text never see different values (RFC 8725 §2.4).
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"
)

// Bounds of an object.
const (
	maxDepth  = 16
	maxValues = 10000
)

// ErrJSON is the cause of every error of this package.
var ErrJSON = errors.New("not the JSON object that is expected")

// Object reads one JSON object. Its values are string, json.Number, bool, nil,
// []any and map[string]any.
func Object(data []byte) (map[string]any, error) {
	if !utf8.Valid(data) || !json.Valid(data) {
		return nil, fmt.Errorf("%w: syntax", ErrJSON)
	}
	r := reader{dec: json.NewDecoder(bytes.NewReader(data)), left: maxValues}
	r.dec.UseNumber()
	v, err := r.value(0)
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: no object", ErrJSON)
	}
	return object, nil
}

type reader struct {
	dec  *json.Decoder
	left int // values that may still come
}

func (r *reader) value(depth int) (any, error) {
	if r.left--; r.left < 0 || depth > maxDepth {
		return nil, fmt.Errorf("%w: too many values or levels", ErrJSON)
	}
	t, err := r.dec.Token()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrJSON, err)
	}
	switch t {
	case json.Delim('{'):
		return r.object(depth)
	case json.Delim('['):
		return r.array(depth)
	}
	return t, nil
}

func (r *reader) object(depth int) (any, error) {
	m := map[string]any{}
	for r.dec.More() {
		t, err := r.dec.Token()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrJSON, err)
		}
		name, _ := t.(string)
		if _, twice := m[name]; twice {
			return nil, fmt.Errorf("%w: a name occurs twice", ErrJSON)
		}
		if m[name], err = r.value(depth + 1); err != nil {
			return nil, err
		}
	}
	_, err := r.dec.Token() // the closing brace
	return m, err
}

func (r *reader) array(depth int) (any, error) {
	list := []any{}
	for r.dec.More() {
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := r.dec.Token() // the closing bracket
	return list, err
}

// Strings returns what a member that is a string or an array of strings holds.
// Nil: there is no such member, or it is something else.
func Strings(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		list := make([]string, 0, len(v))
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil
			}
			list = append(list, s)
		}
		return list
	}
	return nil
}

// lastSecond is the end of the year 9999.
const lastSecond = 253402300799

// Time reads a NumericDate (RFC 7519 §2): seconds since 1970, fractions
// allowed. Not ok: something else, or a time before 1970 or after 9999.
func Time(v any) (t time.Time, ok bool) {
	n, isNumber := v.(json.Number)
	if !isNumber {
		return t, false
	}
	seconds, err := n.Float64()
	if err != nil || math.IsNaN(seconds) || seconds < 0 || seconds > lastSecond {
		return t, false
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), true
}
