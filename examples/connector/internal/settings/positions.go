package settings

import (
	"strconv"

	"github.com/pelletier/go-toml/v2/unstable"
)

// positions says in which line each key of a TOML document stands, by the path
// of the key: "source[0].host", "targets.exchange.type". The document has been
// decoded before; of one that cannot be parsed there is what precedes the fault.
func positions(doc []byte) map[string]int {
	at := make(map[string]int)
	arrays := make(map[string]int) // how many tables an array has
	table := ""
	p := &unstable.Parser{}
	p.Reset(doc)
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = tablePath(p, e, arrays, at)
		case unstable.KeyValue:
			keyValue(p, e, table, at)
		}
	}
	return at
}

// tablePath is the path of a table; a new one of an array is counted.
func tablePath(p *unstable.Parser, e *unstable.Node, arrays, at map[string]int) string {
	path, line := "", 0
	for it := e.Key(); it.Next(); {
		n := it.Node()
		path, line = join(path, string(n.Data)), p.Shape(n.Raw).Start.Line
		switch {
		case it.IsLast() && e.Kind == unstable.ArrayTable:
			arrays[path]++
			path += index(arrays[path] - 1)
		case arrays[path] > 0:
			path += index(arrays[path] - 1)
		}
	}
	at[path] = line
	return path
}

// keyValue notes a key and what an inline table or array behind it holds.
func keyValue(p *unstable.Parser, e *unstable.Node, table string, at map[string]int) {
	path, line := table, 0
	for it := e.Key(); it.Next(); {
		n := it.Node()
		path, line = join(path, string(n.Data)), p.Shape(n.Raw).Start.Line
		if _, known := at[path]; !known {
			at[path] = line
		}
	}
	value(p, e.Value(), path, line, at)
}

func value(p *unstable.Parser, v *unstable.Node, path string, line int, at map[string]int) {
	switch v.Kind {
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			keyValue(p, it.Node(), path, at)
		}
	case unstable.Array:
		i := 0
		for it := v.Children(); it.Next(); i++ {
			element := path + index(i)
			at[element] = line
			value(p, it.Node(), element, line, at)
		}
	}
}

func index(i int) string { return "[" + strconv.Itoa(i) + "]" }

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
