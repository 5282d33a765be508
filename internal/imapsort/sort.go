package imapsort

import (
	"errors"
	"slices"
	"strconv"

	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

var keys = map[string]store.SortBy{
	"ARRIVAL": store.SortArrival, "CC": store.SortCc, "DATE": store.SortDate, "FROM": store.SortFrom,
	"SIZE": store.SortSize, "SUBJECT": store.SortSubject, "TO": store.SortTo,
	"DISPLAYFROM": store.SortDisplayFrom, "DISPLAYTO": store.SortDisplayTo,
}

// Criteria are what SORT sorts by.
type Criteria struct {
	Keys []store.SortKey

	// Relevancy: the best matches come first, or last with WorstFirst, each in
	// the order of Keys (RFC 6203 §6).
	Relevancy, WorstFirst bool
}

// ErrRelevancy refuses RELEVANCY behind other criteria: NO.
var ErrRelevancy = errors.New("imapsort: RELEVANCY is possible in front only")

// Parse takes
//
//	sort-criteria  = "(" sort-criterion *(SP sort-criterion) ")"
//	sort-criterion = ["REVERSE" SP] sort-key
//
// (RFC 5256 §5). Errors are *[imapwire.SyntaxError], [ErrRelevancy] and those of
// the Decoder.
func Parse(dec *imapwire.Decoder) (c Criteria, err error) {
	any := false
	err = dec.List(func() error {
		err := c.criterion(dec, !any)
		any = true
		return err
	})
	if err == nil && !any {
		err = imapwire.Bad("Sort criterion expected")
	}
	return c, err
}

func (c *Criteria) criterion(dec *imapwire.Decoder, first bool) error {
	word, err := dec.Word()
	reverse := err == nil && word == "REVERSE"
	if reverse {
		if err = dec.SP(); err == nil {
			word, err = dec.Word()
		}
	}
	if err != nil {
		return err
	}
	if word == "RELEVANCY" {
		if !first && !c.Relevancy {
			return ErrRelevancy
		}
		c.WorstFirst = reverse && first || c.WorstFirst
		c.Relevancy = true
		return nil
	}
	by, ok := keys[word]
	if !ok {
		return imapwire.Bad("Unknown sort criterion")
	}
	if !slices.ContainsFunc(c.Keys, func(o store.SortKey) bool { return o.By == by }) {
		c.Keys = append(c.Keys, store.SortKey{By: by, Reverse: reverse})
	}
	return nil
}

// AppendSet adds numbers as a sequence-set that keeps their order: only runs
// that ascend by one become ranges (RFC 5267 §3.2).
func AppendSet(dst []byte, numbers []uint32) []byte {
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(dst, uint64(numbers[i]), 10)
		if j > i {
			dst = append(dst, ':')
			dst = strconv.AppendUint(dst, uint64(numbers[j]), 10)
		}
		i = j + 1
	}
	return dst
}
