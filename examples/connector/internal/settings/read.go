package settings

import (
	"bytes"
	"errors"
	"os"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// maxFile bounds a configuration file: 10,000 sources fit many times.
const maxFile = 64 << 20

// Read reads and checks a file. What is wrong with it is a Faults; an error of
// another kind says why the file cannot be read.
func Read(file string) (*Settings, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, Faults{{File: file, Text: "it is too large"}}
	}
	doc, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return Parse(file, doc)
}

// Parse is Read of a document whose name is file.
func Parse(file string, doc []byte) (*Settings, error) {
	s := &Settings{file: file}
	d := toml.NewDecoder(bytes.NewReader(doc))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, decodeFaults(file, err)
	}
	s.positions = positions(doc)
	s.defaults()
	if faults := s.check(); len(faults) > 0 {
		return nil, faults
	}
	return s, nil
}

// decodeFaults says in the words of the file what the decoder found.
func decodeFaults(file string, err error) Faults {
	if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		var faults Faults
		for i := range strict.Errors {
			e := &strict.Errors[i]
			line, _ := e.Position()
			faults = append(faults, &Fault{file, line, strings.Join(e.Key(), "."), "unknown name"})
		}
		return faults
	}
	e, ok := errors.AsType[*toml.DecodeError](err)
	if !ok {
		return Faults{{File: file, Text: strings.TrimPrefix(err.Error(), "toml: ")}}
	}
	line, _ := e.Position()
	return Faults{{file, line, strings.Join(e.Key(), "."), decodeText(e.Error())}}
}

// decodeText hides the names of Go's types.
func decodeText(text string) string {
	text = strings.TrimPrefix(text, "toml: ")
	rest, ok := strings.CutPrefix(text, "cannot decode TOML ")
	if !ok {
		return text
	}
	got, rest, _ := strings.Cut(rest, " into ")
	want := "a table"
	switch _, kind, _ := strings.Cut(rest, " of type "); {
	case strings.HasPrefix(kind, "[]string"):
		want = "a list of strings"
	case strings.HasPrefix(kind, "[]"):
		want = "a list of tables"
	case kind == "int", kind == "int64":
		want = "a number"
	case kind == "bool", kind == "*bool":
		want = "true or false"
	case kind == "string", strings.HasSuffix(kind, ".Secret"):
		want = "a string"
	}
	return "want " + want + ", not a TOML " + got
}

// Encode is the file of s.
func (s *Settings) Encode() ([]byte, error) {
	var b bytes.Buffer
	e := toml.NewEncoder(&b)
	e.SetIndentTables(false)
	err := e.Encode(s)
	return b.Bytes(), err
}
