package queue

import (
	"slices"
)

// Clone returns a copy that shares no memory with j, and has no Entries.
func (j *Job) Clone() *Job {
	c := *j
	c.Entries = nil
	c.Params = j.Params.Clone()
	c.Recipients = cloneRecipients(j.Recipients)
	c.Key, c.Prefix = slices.Clone(j.Key), slices.Clone(j.Prefix)
	return &c
}

func cloneRecipients(rs []Recipient) []Recipient {
	out := slices.Clone(rs)
	for i := range out {
		out[i].Params.Unknown = slices.Clone(out[i].Params.Unknown)
	}
	return out
}

// Match reports whether f selects j. Limit is not looked at.
func (f *Filter) Match(j *Job) bool {
	switch {
	case j.ID <= f.After,
		len(f.IDs) > 0 && !slices.Contains(f.IDs, j.ID),
		f.Message != "" && f.Message != j.Message,
		f.Destination != "" && f.Destination != j.Destination,
		f.Sender != "" && FoldPath(f.Sender) != FoldPath(j.ReversePath.String()),
		f.Identity != "" && f.Identity != j.Identity,
		f.Held != nil && *f.Held != (j.Hold != ""):
		return false
	case f.Recipient == "":
		return true
	}
	want := FoldPath(f.Recipient)
	return slices.ContainsFunc(j.Recipients, func(r Recipient) bool {
		return FoldPath(r.ForwardPath.String()) == want
	})
}

// FoldPath is the form of a path in which Filter compares it: ASCII letters in
// lower case, every other octet as it is.
func FoldPath(p string) string {
	upper := func(c byte) bool { return 'A' <= c && c <= 'Z' }
	for i := range len(p) {
		if !upper(p[i]) {
			continue
		}
		b := []byte(p)
		for ; i < len(b); i++ {
			if upper(b[i]) {
				b[i] += 'a' - 'A'
			}
		}
		return string(b)
	}
	return p
}

// Apply does to j what e says. A Drop is the Storage's own affair: Apply
// leaves j as it is.
func (e *Edit) Apply(j *Job) {
	switch {
	case e.Hold != nil:
		if j.Hold = *e.Hold; j.Hold == "" {
			j.Crashes = 0
		}
	case e.Due != nil:
		j.Due = *e.Due
	case e.Destination != nil:
		j.Destination = *e.Destination
	case e.Bounce != nil:
		j.Bounce, j.Destination = *e.Bounce, BounceDestination
		j.Hold, j.Due, j.Crashes = "", j.Created, 0
	}
}

// Apply writes the outcome into the job that is left; it is for a Storage,
// when Remaining is not empty.
func (o *Outcome) Apply(j *Job) {
	j.Recipients = cloneRecipients(o.Remaining)
	j.Due, j.Hold, j.Last = o.Due, o.Hold, o.Last
	if o.Attempted {
		j.Attempts++
	}
	switch {
	case o.Crashed:
		j.panicked()
	case o.Attempted:
		j.Crashes = 0
	}
}
