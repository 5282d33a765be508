package foreign

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/mailstead/mailstead/examples/connector/internal/settings"
)

// csvColumns are those of a table of mailboxes.
var csvColumns = []string{"name", "protocol", "host", "port", "tls", "user", "password", "recipient", "accept", "field", "default", "target", "folders", "leave", "every", "enabled"}

// CSV reads a table of mailboxes. Its first line names the columns: host, user
// and password, and any of name, protocol, port, tls, recipient or accept (for a
// catch-all, with field and default), target, folders, leave, every, enabled.
// Several values in a column stand between "|", several addresses between spaces, too. Columns are
// separated by commas, or by semicolons where the first line has one. The error is
// an *Error.
func (b *Importer) CSV(file, text string) error {
	b.file = file
	text = strings.TrimPrefix(text, "\ufeff")
	r := csv.NewReader(strings.NewReader(text))
	first, _, _ := strings.Cut(text, "\n")
	if strings.Contains(first, ";") {
		r.Comma = ';'
	}
	r.Comment, r.TrimLeadingSpace, r.FieldsPerRecord = '#', true, -1
	var columns []string
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return csvError(file, err)
		}
		line, _ := r.FieldPos(0)
		if columns == nil {
			if columns, err = csvHeader(row); err != nil {
				return &Error{file, line, err.Error()}
			}
			continue
		}
		if err := b.csvRow(line, columns, row); err != nil {
			return &Error{file, line, err.Error()}
		}
	}
	if columns == nil {
		return &Error{file, 1, "it is empty"}
	}
	return nil
}

func csvError(file string, err error) error {
	if e, ok := errors.AsType[*csv.ParseError](err); ok {
		return &Error{file, e.Line, e.Err.Error()}
	}
	return &Error{file, 1, err.Error()}
}

func csvHeader(row []string) ([]string, error) {
	var columns []string
	for _, name := range row {
		name = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(csvColumns, name) {
			return nil, fmt.Errorf("%q is none of the columns %s", name, strings.Join(csvColumns, ", "))
		}
		if slices.Contains(columns, name) {
			return nil, fmt.Errorf("a second column %s", name)
		}
		columns = append(columns, name)
	}
	for _, name := range []string{"host", "user"} {
		if !slices.Contains(columns, name) {
			return nil, fmt.Errorf("there is no column %s", name)
		}
	}
	return columns, nil
}

// csvRow adds the source of a row. No error shows what stands in it but for
// numbers and words of a list: columns may be mixed up.
func (b *Importer) csvRow(line int, columns, row []string) error {
	if len(row) > len(columns) {
		return fmt.Errorf("%d columns, and %d names in the first line", len(row), len(columns))
	}
	src := &settings.Source{Protocol: "imaps"}
	var accept []string
	var catchAll settings.CatchAll
	for i, value := range row {
		if columns[i] != "password" {
			value = strings.TrimSpace(value)
		}
		if value == "" {
			continue
		}
		switch columns[i] {
		case "accept":
			accept = csvList(value)
		case "field":
			catchAll.Field = value
		case "default":
			catchAll.Default = csvList(value)
		default:
			if err := csvValue(src, columns[i], value); err != nil {
				return err
			}
		}
	}
	if src.Host == "" || src.User == "" {
		return errors.New("want a host and a user")
	}
	if src.Name == "" {
		src.Name = b.name(src.User, src.Host)
	}
	if src.Password == "" {
		if _, password, ok := b.options.Netrc.Find(src.User, src.Host); ok {
			src.Password = settings.Literal(password)
		} else {
			b.notice(line, "there is no password for %s: set one", src.Name)
		}
	}
	switch {
	case accept != nil:
		catchAll.Accept = accept
		src.CatchAll = &catchAll
	case src.Recipient == "":
		src.Recipient = b.address(line, src.User, "")
	default:
		src.Recipient = b.address(line, src.Recipient, "")
	}
	b.out.Sources = append(b.out.Sources, src)
	return nil
}

func csvValue(src *settings.Source, column, value string) error {
	switch column {
	case "name":
		src.Name = value
	case "protocol":
		src.Protocol = strings.ToLower(value)
	case "host":
		src.Host = value
	case "port":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > 65535 {
			return errors.New("the port is no number from 1 to 65535")
		}
		src.Port = n
	case "tls":
		src.TLS = strings.ToLower(value)
	case "user":
		src.User = value
	case "password":
		src.Password = settings.Secret(value)
	case "recipient":
		src.Recipient = value
	case "target":
		src.Target = value
	case "folders":
		src.Folders = strings.FieldsFunc(value, func(r rune) bool { return r == ';' || r == '|' })
	case "leave":
		src.Leave = strings.ToLower(value)
	case "every":
		src.Every = value
	case "enabled":
		switch strings.ToLower(value) {
		case "no", "false", "0", "off":
			src.Disabled = true
		case "yes", "true", "1", "on":
		default:
			return errors.New("enabled is neither yes nor no")
		}
	}
	return nil
}

// csvList are the values of a column.
func csvList(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ';' || r == '|' })
}
