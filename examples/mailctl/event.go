package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/mailstead/mailstead/examples/internal/answer"
)

// event is a line of the standard error with --json; docs/guide/mailctl.md has
// what each holds.
type event struct {
	Time     time.Time       `json:"time"`
	Event    string          `json:"event"` // progress, problem, skipped, retrying, differs, error, stopped
	Command  string          `json:"command,omitempty"`
	Progress *step           `json:"progress,omitempty"`
	Problem  *answer.Problem `json:"problem,omitempty"`
	About    *answer.Skip    `json:"about,omitempty"`
	Message  string          `json:"message,omitempty"`
	Exit     int             `json:"exit,omitempty"`
}

// emit writes an event.
func (a *app) emit(e event) {
	e.Time = time.Now().UTC()
	line, err := json.Marshal(&e)
	if err == nil {
		fmt.Fprintf(a.err, "%s\n", line)
	}
}

// complain says why a command ends: an event with --json, else a line.
func (a *app) complain(name, text string, exit int) {
	if a.json {
		a.emit(event{Event: name, Message: text, Exit: exit})
		return
	}
	fmt.Fprintln(a.err, "mailctl:", text)
}
