package imapsort

import (
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

// Parse takes
//
//	sort-criteria  = "(" sort-criterion *(SP sort-criterion) ")"
//	sort-criterion = ["REVERSE" SP] sort-key
//
// (RFC 5256 §5). Errors are *[imapwire.SyntaxError] and those of the Decoder.
func Parse(dec *imapwire.Decoder) (list []store.SortKey, err error) {
	any := false
	err = dec.List(func() error {
		k, err := criterion(dec)
		if err != nil {
			return err
		}
		any = true
		if !slices.ContainsFunc(list, func(o store.SortKey) bool { return o.By == k.By }) {
			list = append(list, k)
		}
		return nil
	})
	if err == nil && !any {
		err = &imapwire.SyntaxError{Reason: "Sort criterion expected"}
	}
	return list, err
}

func criterion(dec *imapwire.Decoder) (k store.SortKey, err error) {
	word, err := dec.Word()
	if err == nil && word == "REVERSE" {
		k.Reverse = true
		if err = dec.SP(); err == nil {
			word, err = dec.Word()
		}
	}
	if err != nil {
		return k, err
	}
	by, ok := keys[word]
	if !ok {
		return k, &imapwire.SyntaxError{Reason: "Unknown sort criterion"}
	}
	k.By = by
	return k, nil
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
