package program

import (
	"flag"
	"fmt"
	"os"

	"github.com/pelletier/go-toml/v2"
)

// configFlag is the flag that names a TOML file, in programs that have one.
const configFlag = "config"

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
		if f == nil || name == configFlag {
			return fmt.Errorf("-config: %s: unknown name %q", file, name)
		}
		_, isList := f.Value.(*List)
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
