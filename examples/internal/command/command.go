// Package command reads command lines with kong, for programs that return a
// status in place of ending.
package command

import (
	"fmt"
	"io"

	"github.com/alecthomas/kong"
)

// The statuses of a program.
const (
	OK    = 0
	Fault = 1
	Use   = 2 // the command line is wrong, or what it names
)

// Program is what a command line is read for.
type Program struct {
	Name, Description string
	Out, Err          io.Writer
}

// exited is how kong ends after -h.
type exited int

// Parse reads a command line into cli. ok = false: all is said, and the status is
// code. Every flag is an environment variable too, MAILSTEAD_ and its name.
func (p *Program) Parse(cli any, args []string) (k *kong.Context, code int, ok bool) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case exited:
			k, code, ok = nil, int(v), false
		default:
			panic(v)
		}
	}()
	parser, err := kong.New(cli, kong.Name(p.Name), kong.Description(p.Description), kong.DefaultEnvars("MAILSTEAD"),
		kong.Writers(p.Out, p.Err), kong.Exit(func(code int) { panic(exited(code)) }))
	if err != nil {
		fmt.Fprintf(p.Err, "%s: %v\n", p.Name, err)
		return nil, Fault, false
	}
	if k, err = parser.Parse(args); err != nil {
		fmt.Fprintf(p.Err, "%s: %v; -h explains\n", p.Name, err)
		return nil, Use, false
	}
	return k, OK, true
}
