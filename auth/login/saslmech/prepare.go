package saslmech

import (
	"errors"

	"github.com/xdg-go/stringprep"
)

var errPrepare = errors.New("saslmech: SASLprep refuses the text")

// saslprep is SASLprep (RFC 4013) for queries, which allow characters that
// Unicode 3.2 did not have. RFC 5802 §2.2 wants them refused in passwords; but
// people have them there, servers that do not prepare accept them, and to those
// that do they are the same.
func saslprep() stringprep.Profile {
	return stringprep.Profile{
		Mappings:  stringprep.SASLprep.Mappings,
		Normalize: true,
		Prohibits: []stringprep.Set{ // RFC 4013 §2.3
			stringprep.TableC1_2, stringprep.TableC2_1, stringprep.TableC2_2, stringprep.TableC3, stringprep.TableC4,
			stringprep.TableC5, stringprep.TableC6, stringprep.TableC7, stringprep.TableC8, stringprep.TableC9,
		},
		CheckBiDi: true,
	}
}

// prepare applies SASLprep, which RFC 5802 §5.1 asks for in names and
// passwords. Its error does not hold the text.
func prepare(text string) (string, error) {
	out, err := saslprep().Prepare(text)
	if err != nil || out == "" {
		return "", errPrepare
	}
	return out, nil
}
