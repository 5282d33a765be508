package dmarc

import "context"

// Organization is the Organizational Domain of a domain by the rules of the
// Mode (RFC 9989 §4.10.2, RFC 7489 §3.2): the domain itself where nothing above
// it says otherwise. The error says that it is no domain, or that nobody knows
// now. It asks what Check has asked, so that a dnsx.Cache answers.
func (c *Checker) Organization(ctx context.Context, domain string) (string, error) {
	name, err := canonical(domain)
	if err != nil {
		return "", err
	}
	if c.Mode == RFC7489 {
		return OrganizationalDomain(c.Suffixes, name), nil
	}
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	r := &records{resolver: c.Resolver, mode: c.Mode}
	org, _ := organizational(name, r.walk(ctx, targets(name)))
	if org.temp {
		return "", org.err
	}
	return org.domain, nil
}
