package program

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

// List is a flag that may stand several times; its lines are values of their
// own, so that @FILE and the environment can hold several.
type List []string

// String implements flag.Value.
func (l *List) String() string { return strings.Join(*l, " ") }

// Set implements flag.Value.
func (l *List) Set(v string) error {
	for line := range strings.Lines(v) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			*l = append(*l, line)
		}
	}
	return nil
}

// Octets is a flag that takes whatever it is given: @FILE stands for itself
// where FILE cannot be read.
type Octets string

// String implements flag.Value.
func (o *Octets) String() string { return string(*o) }

// Set implements flag.Value.
func (o *Octets) Set(v string) error {
	*o = Octets(v)
	return nil
}

// raw collects what a flag was given, unparsed: @FILE is resolved later.
type raw struct {
	values []string
	isBool bool
}

func (r *raw) String() string     { return "" }
func (r *raw) Set(v string) error { r.values = append(r.values, v); return nil }
func (r *raw) IsBoolFlag() bool   { return r.isBool }

// Parse reads the command line, for flags that are not on it the environment
// (MAILSTEAD_MAX_AGE for -max-age) and, where f has a flag -config that is set,
// the TOML file of its name, the first of them winning. A value @FILE stands for
// what the file holds, without its last line ends. flag.ErrHelp: -h was given.
func Parse(f *flag.FlagSet, args []string, getenv func(string) string) error {
	values, err := given(f, args)
	if err != nil {
		return err
	}
	f.VisitAll(func(fl *flag.Flag) {
		env := "MAILSTEAD_" + strings.ToUpper(strings.ReplaceAll(fl.Name, "-", "_"))
		if v := getenv(env); v != "" && values[fl.Name] == nil {
			values[fl.Name] = []string{v}
		}
	})
	if file := values[configFlag]; file != nil {
		if err := readConfig(file[len(file)-1], values, f); err != nil {
			return err
		}
	}
	for name, vs := range values {
		for _, v := range vs {
			if err := setFlag(f, name, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// given is what the command line says, by the name of the flag.
func given(f *flag.FlagSet, args []string) (map[string][]string, error) {
	line := flag.NewFlagSet(f.Name(), flag.ContinueOnError)
	line.SetOutput(f.Output())
	line.Usage = f.Usage
	if line.Usage == nil {
		line.Usage = func() { fmt.Fprintf(f.Output(), "Usage of %s:\n", f.Name()); f.PrintDefaults() }
	}
	f.VisitAll(func(fl *flag.Flag) {
		b, ok := fl.Value.(interface{ IsBoolFlag() bool })
		line.Var(&raw{isBool: ok && b.IsBoolFlag()}, fl.Name, fl.Usage)
	})
	if err := line.Parse(args); err != nil {
		return nil, err
	}
	if line.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", line.Arg(0))
	}
	values := make(map[string][]string)
	line.Visit(func(fl *flag.Flag) { values[fl.Name] = fl.Value.(*raw).values })
	return values, nil
}

// setFlag sets one value; @FILE stands for the content of the file.
func setFlag(f *flag.FlagSet, name, v string) error {
	text, err := content(v)
	if _, any := f.Lookup(name).Value.(*Octets); err != nil && any {
		text, err = v, nil
	}
	if err != nil {
		return fmt.Errorf("-%s: %w", name, err)
	}
	if err := f.Set(name, text); err != nil {
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
