package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// raw collects what a flag was given, unparsed: @FILE is resolved later.
type raw struct {
	values []string
	isBool bool
}

func (r *raw) String() string     { return "" }
func (r *raw) Set(v string) error { r.values = append(r.values, v); return nil }
func (r *raw) IsBoolFlag() bool   { return r.isBool }

// parseOptions reads flags, environment and configuration file, the first of
// them winning. flag.ErrHelp: the usage was printed.
func parseOptions(args []string, getenv func(string) string, out io.Writer) (*options, error) {
	o := new(options)
	fs := o.flagSet()
	fs.SetOutput(out)
	given := flag.NewFlagSet(fs.Name(), flag.ContinueOnError)
	given.SetOutput(out)
	given.Usage = fs.Usage
	values := make(map[string][]string)
	fs.VisitAll(func(f *flag.Flag) {
		_, isBool := f.Value.(interface{ IsBoolFlag() bool })
		given.Var(&raw{isBool: isBool}, f.Name, f.Usage)
	})
	if err := given.Parse(args); err != nil {
		return nil, err
	}
	if given.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", given.Arg(0))
	}
	given.Visit(func(f *flag.Flag) { values[f.Name] = f.Value.(*raw).values })
	given.VisitAll(func(f *flag.Flag) {
		env := "MAILSTEAD_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if v := getenv(env); v != "" && values[f.Name] == nil {
			values[f.Name] = []string{v}
		}
	})
	if file := values["config"]; file != nil {
		if err := readConfig(file[len(file)-1], values, fs); err != nil {
			return nil, err
		}
	}
	for name, vs := range values {
		for _, v := range vs {
			if err := setFlag(fs, name, v); err != nil {
				return nil, err
			}
		}
	}
	return o, o.check()
}

// setFlag sets one value; @FILE stands for the content of the file.
func setFlag(fs *flag.FlagSet, name, v string) error {
	v, err := content(v)
	if err != nil {
		return fmt.Errorf("-%s: %w", name, err)
	}
	if err := fs.Set(name, v); err != nil {
		return fmt.Errorf("-%s: invalid value: %w", name, err)
	}
	return nil
}

// content is v or, for @FILE, what the file holds but for its last line ends.
func content(v string) (string, error) {
	file, ok := strings.CutPrefix(v, "@")
	if !ok {
		return v, nil
	}
	b, err := os.ReadFile(file)
	return strings.TrimRight(string(b), "\r\n"), err
}

// readConfig adds to values what the TOML file says and nothing stronger has
// said. Unknown names are errors, and so are lists for what is no list.
func readConfig(file string, values map[string][]string, known *flag.FlagSet) error {
	file, err := content(file)
	if err != nil {
		return fmt.Errorf("-config: %w", err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("-config: %w", err)
	}
	var doc map[string]any
	if err := toml.Unmarshal(b, &doc); err != nil {
		return fmt.Errorf("-config: %s: %w", file, err)
	}
	for name, v := range doc {
		f := known.Lookup(name)
		if f == nil || name == "config" {
			return fmt.Errorf("-config: %s: unknown name %q", file, name)
		}
		_, isList := f.Value.(*list)
		vs, ok := scalars(v, isList)
		if !ok {
			return fmt.Errorf("-config: %s: %s has a value of a wrong type", file, name)
		}
		if values[name] == nil {
			values[name] = vs
		}
	}
	return nil
}

// scalars are the values of a TOML string, number or truth value or, for a
// list, of an array of strings.
func scalars(v any, isList bool) ([]string, bool) {
	switch v := v.(type) {
	case string, int64, bool:
		return []string{fmt.Sprint(v)}, true
	case []any:
		var out []string
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, false
			}
			out = append(out, s)
		}
		return out, isList
	}
	return nil, false
}
