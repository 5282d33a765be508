package strictjson

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestObject(t *testing.T) {
	nested := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	tests := []struct {
		name, text string
		ok         bool
	}{
		{"empty object", "{}", true},
		{"white space", " \r\n{ } ", true},
		{"values", `{"s":"x","n":1.5e3,"b":true,"z":null,"a":[1,["x"],{}],"o":{"s":1}}`, true},
		{"same name at two levels", `{"a":{"a":1},"b":{"a":1}}`, true},
		{"names that differ in case", `{"a":1,"A":2}`, true},
		{"16 levels", nested(16), true},
		{"17 levels", nested(17), false},
		{"very deep", nested(100000), false},
		{"10,001 values", `{"a":[` + strings.Repeat("1,", 10000) + `1]}`, false},
		{"name twice", `{"a":1,"a":1}`, false},
		{"name twice, escaped", `{"a":1,"\u0061":1}`, false},
		{"name twice, deeper", `{"x":[{"a":1,"a":1}]}`, false},
		{"empty name twice", `{"":1,"":1}`, false},
		{"nothing", "", false},
		{"array", "[]", false},
		{"string", `"x"`, false},
		{"null", "null", false},
		{"two", "{}{}", false},
		{"trailing", "{}x", false},
		{"trailing comma", `{"a":1,}`, false},
		{"no quotes", "{a:1}", false},
		{"single quotes", "{'a':1}", false},
		{"comment", "{}//", false},
		{"NaN", `{"a":NaN}`, false},
		{"not UTF-8", "{\"a\":\"\xff\"}", false},
		{"byte order mark", "\ufeff{}", false},
		{"NUL", "{\"a\":\"\x00\"}", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Object([]byte(tt.text))
			if (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrJSON) {
				t.Error(err)
			}
		})
	}
}

func TestStrings(t *testing.T) {
	for text, want := range map[string][]string{
		`"x"`: {"x"}, `["x","y"]`: {"x", "y"}, `[]`: {}, `1`: nil, `["x",1]`: nil, `null`: nil, `{"x":1}`: nil,
	} {
		object, err := Object([]byte(`{"v":` + text + `}`))
		if got := Strings(object["v"]); err != nil || !slices.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func TestTime(t *testing.T) {
	for text, want := range map[string]float64{
		"0": 0, "1.5": 1.5, "1e3": 1000, "253402300799": 253402300799,
		"-1": -1, "253402300800": -1, "1e400": -1, `"1"`: -1, "null": -1, "true": -1,
	} {
		object, err := Object([]byte(`{"v":` + text + `}`))
		if err != nil {
			t.Fatal(err)
		}
		got, ok := Time(object["v"])
		if ok != (want >= 0) || ok && got.Sub(time.Unix(0, 0)).Seconds() != want && got.Unix() != int64(want) {
			t.Errorf("%s: %v, %v", text, got, ok)
		}
	}
}

// FuzzObject compares with encoding/json: what is accepted is read the same.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{`{"a":[1,{"b":null}]}`, `{"a":1,"a":2}`, `{"\ud800":1}`, `[`, `{"a":1e5}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Object(data)
		if err != nil {
			return
		}
		d := json.NewDecoder(strings.NewReader(string(data)))
		d.UseNumber()
		var want map[string]any
		if err := d.Decode(&want); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, encoding/json reads %v, %v", data, got, want, err)
		}
	})
}
