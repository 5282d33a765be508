package ldap

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/mailstead/mailstead/store"
)

// limitsOf reads the quota attributes of an entry.
func limitsOf(e *entry, conf *AddressConfig) (store.Limits, error) {
	var l store.Limits
	size, err := e.value(conf.QuotaBytes)
	if err != nil {
		return l, err
	}
	count, err := e.value(conf.QuotaMessages)
	if err != nil {
		return l, err
	}
	if size != "" {
		if l, err = parseQuota(size, conf.QuotaUnit); err != nil {
			return l, err
		}
	}
	if count != "" {
		if l.Messages, err = strconv.ParseInt(count, 10, 64); err != nil || l.Messages < 0 {
			return l, fmt.Errorf("%w: %s is no number", ErrAnswer, conf.QuotaMessages)
		}
	}
	return l, nil
}

// parseQuota reads "500M", "1048576", or "10000000S,1000C".
func parseQuota(s string, unit int64) (l store.Limits, err error) {
	for item := range strings.SplitSeq(s, ",") {
		item = strings.ToUpper(strings.TrimSpace(item))
		digits := strings.TrimRight(item, "BIKMGTSC")
		n, perr := strconv.ParseInt(digits, 10, 64)
		factor, known := factorOf(item[len(digits):], unit)
		if perr != nil || n < 0 || !known || n > math.MaxInt64/max(factor, 1) {
			return store.Limits{}, fmt.Errorf("%w: a quota is no number", ErrAnswer)
		}
		if factor == 0 {
			l.Messages = n
		} else {
			l.Bytes = n * factor
		}
	}
	return l, nil
}

// factorOf is what a suffix multiplies with; 0 = it counts messages.
func factorOf(suffix string, unit int64) (factor int64, known bool) {
	switch suffix {
	case "":
		return unit, true
	case "B", "S":
		return 1, true
	case "C":
		return 0, true
	}
	exponent := strings.IndexByte("KMGT", suffix[0]) + 1
	rest := suffix[1:]
	return 1 << (10 * exponent), exponent > 0 && (rest == "" || rest == "B" || rest == "IB")
}
