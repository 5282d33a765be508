//go:build !linux

package pgtest

import (
	"os"
	"os/exec"
)

// supported: elsewhere nothing ends the server with the test.
const supported = false

var sigFast, sigImmediate = os.Interrupt, os.Kill

type account struct{}

func runAs() (*account, error)          { return nil, errMissing }
func (a *account) own(string) error     { return errMissing }
func (a *account) become(cmd *exec.Cmd) {}

type process struct{ ended chan struct{} }

func startProcess(*exec.Cmd) (*process, error) { return nil, errMissing }
func (p *process) signal(os.Signal) error      { return errMissing }
func (p *process) kill()                       {}
