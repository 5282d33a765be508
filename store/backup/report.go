package backup

import "errors"

// listener hears of the progress and of the problems of an operation; either
// func may be nil.
type listener struct {
	progress Progress

	onProgress func(Progress)
	onProblem  func(*Problem)
}

// problem reports what is wrong with one thing.
func (l *listener) problem(err error) {
	var p *Problem
	if !errors.As(err, &p) {
		p = &Problem{Err: err}
	}
	if l.onProblem != nil {
		l.onProblem(p)
	}
}

// tell reports how far the operation is.
func (l *listener) tell() {
	if l.onProgress != nil {
		l.onProgress(l.progress)
	}
}
