package bounce

import (
	"strings"

	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/internal/mimetext"
)

// isAutoReply: the message says that a program answers with it. A list's mail or
// a notice is none.
func (s *scan) isAutoReply() bool {
	for f := range mime.Fields(s.header) {
		value := strings.ToLower(string(mime.AppendUnfolded(nil, f.Value)))
		switch strings.ToLower(string(f.Name)) {
		case "auto-submitted":
			if strings.HasPrefix(value, "auto-replied") {
				return true
			}
		case "x-autoreply", "x-autorespond", "x-autoresponder", "x-autoreply-from", "x-auto-reply":
			if value != "no" && value != "none" {
				return true
			}
		case "precedence", "x-precedence":
			if strings.HasPrefix(value, "auto_reply") || strings.HasPrefix(value, "auto-reply") {
				return true
			}
		}
	}
	subject := strings.ToLower(s.subject())
	for _, head := range []string{"automatic reply:", "auto:", "autoreply:", "auto-reply:", "auto response:", "autoresponse:", "out of office:", "out of the office:", "out of office autoreply:", "automatische antwort:", "réponse automatique", "respuesta automática"} {
		if strings.HasPrefix(subject, head) {
			return true
		}
	}
	return false
}

// isChallenge: known programs that ask whether a person has written.
func (s *scan) isChallenge() bool {
	for f := range mime.Fields(s.header) {
		value := strings.ToLower(string(mime.AppendUnfolded(nil, f.Value)))
		switch name := strings.ToLower(string(f.Name)); {
		case strings.HasPrefix(name, "x-tmda-"), strings.HasPrefix(name, "x-spamarrest-"), strings.HasPrefix(name, "x-boxbe-"), name == "x-challenge-response":
			return true
		case name == "x-delivery-agent" && strings.HasPrefix(value, "tmda"):
			return true
		}
	}
	text := asciiLower(string(s.text[:min(len(s.text), 4<<10)]))
	subject := strings.ToLower(s.subject())
	asks := strings.Contains(subject, "confirm") || strings.Contains(subject, "verify") || strings.Contains(subject, "verification")
	for _, p := range []string{"your message is being held", "your message has been held", "message is awaiting your confirmation", "to prove that you are human", "challenge-response", "challenge/response"} {
		if asks && strings.Contains(text, p) {
			return true
		}
	}
	return false
}

func (s *scan) subject() string {
	for f := range mime.Fields(s.header) {
		if f.Is("subject") {
			return mimetext.DecodeWords(mime.AppendUnfolded(nil, f.Value))
		}
	}
	return ""
}
