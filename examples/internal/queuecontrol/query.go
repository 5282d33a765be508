package queuecontrol

import (
	"net/url"
	"strconv"

	"github.com/mailstead/mailstead/store/control"
)

// pageSize bounds a page of a list; a request may ask for less.
const pageSize = 1000

// Page is what a list request says: names after After, Limit at most.
func Page(q url.Values) (after string, limit int, err error) {
	limit = pageSize
	if s := q.Get("limit"); s != "" {
		if limit, err = strconv.Atoi(s); err != nil || limit < 1 || limit > pageSize {
			return "", 0, control.BadRequest("limit is 1 to %d", pageSize)
		}
	}
	return q.Get("after"), limit, nil
}

// Number is a value from 1 to most; def where it is missing.
func Number(q url.Values, name string, def, most int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return def, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, control.BadRequest("%s is a number from 1 to %d", name, most)
	}
	return n, nil
}
