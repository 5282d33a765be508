package recipient

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ablate takes a rule out of a configuration.
func ablate(c Config, what string) (Config, bool) {
	what, arg, _ := strings.Cut(what, " ")
	n, _ := strconv.Atoi(arg)
	switch what {
	case "step":
		steps := c.Steps
		if steps == nil {
			steps = DefaultSteps()
		}
		c.Steps = slices.DeleteFunc(slices.Clone(steps), func(s Step) bool { return string(s) == arg })
	case "envelope":
		list := c.Envelope
		if list == nil {
			list = DefaultEnvelope()
		}
		c.Envelope = slices.DeleteFunc(slices.Clone(list), func(f Field) bool { return strings.EqualFold(f.Name, arg) })
	case "all":
		c.Envelope = slices.Clone(DefaultEnvelope())
		for i := range c.Envelope {
			c.Envelope[i].All = false
		}
	case "rule-first":
		c.Rules = slices.Clone(c.Rules)
		c.Rules[n-1].All = true
	case "tags":
		c.Separator = "none"
	case "index":
		c.Field.Index = 0
	case "anywhere":
		c.Field.Anywhere = false
	case "own":
		c.Own = nil
	case "strip":
		c.Strip = slices.DeleteFunc(slices.Clone(c.Strip), func(s string) bool { return arg == "" || s == arg })
	case "hosts":
		c.Trust.Hosts = nil
	case "received":
		c.Trust.Received = 0
	case "steps":
		c.Steps = nil
	case "accept":
		c.Accept = slices.DeleteFunc(slices.Clone(c.Accept), func(s string) bool { return s == arg })
	case "map":
		c.Map = nil
	case "nobody":
		c.Directory = nil
	case "separator":
		c.Separator = ""
	case "max-recipients":
		c.MaxRecipients = 0
	case "max-header":
		c.MaxHeader = 0
	case "rule":
		c.Rules = slices.Delete(slices.Clone(c.Rules), n-1, n)
	case "rule-all", "rule-continue", "rule-trusted":
		c.Rules = slices.Clone(c.Rules)
		r := &c.Rules[n-1]
		r.All, r.Continue, r.Trusted = r.All && what != "rule-all", r.Continue && what != "rule-continue", r.Trusted && what != "rule-trusted"
	default:
		return c, false
	}
	return c, true
}

// TestSituationsWithout: each situation has another answer when the rule is
// taken out of its configuration that it is there for. Rules that are code are
// taken out by TestMutants.
func TestSituationsWithout(t *testing.T) {
	for _, s := range loadSituations(t) {
		for _, what := range s.without {
			if strings.HasPrefix(what, "code ") {
				continue
			}
			t.Run(s.name+"/"+what, func(t *testing.T) {
				c, ok := ablate(s.config, what)
				if !ok {
					t.Fatalf("%q is no rule", what)
				}
				got := s.find(t, c)
				if a := answer(&got); a == s.wanted() {
					t.Errorf("without it the answer is %s, too", a)
				}
			})
		}
	}
}
