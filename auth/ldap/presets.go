package ldap

// OpenLDAP returns a Config for a tree of inetOrgPerson entries, as OpenLDAP,
// 389 Directory Server and FreeIPA keep them: users log in with uid or mail,
// and get the mail to their mail addresses. URLs, the service account and
// Addresses.Domains are left to fill in.
func OpenLDAP(base string) Config {
	return Config{
		Base:  base,
		Users: UserConfig{Filter: "(&(objectClass=inetOrgPerson)(|(uid={name})(mail={name})))"},
		Addresses: AddressConfig{
			Filter:          "(mail={name})",
			MemberDNs:       []string{"member", "uniqueMember"},
			MemberAddresses: []string{"rfc822MailMember", "mgrpRFC822MailMember"},
		},
	}
}

// ActiveDirectory returns a Config for a domain of Active Directory; base is
// its DN, as in "dc=corp,dc=example,dc=org". Users log in with sAMAccountName,
// userPrincipalName or mail, and get the mail to mail and to their
// proxyAddresses. Groups with an address are expanded. URLs, the service
// account and Addresses.Domains are left to fill in.
func ActiveDirectory(base string) Config {
	return Config{
		Base: base,
		Users: UserConfig{
			Filter: "(&(objectClass=user)(!(objectClass=computer))" +
				"(|(sAMAccountName={name})(userPrincipalName={name})(mail={name})))",
		},
		Addresses: AddressConfig{
			Filter:     "(|(mail={name})(proxyAddresses=smtp:{name}))",
			MemberDNs:  []string{"member"},
			QuotaBytes: "mDBOverHardQuotaLimit", // in KiB
			QuotaUnit:  1024,
		},
	}
}
