package foreign

// getmailSeeds are files in which the importer and getmail once differed.
var getmailSeeds = []string{
	// Sections and values.
	getmailOf(" ; x", ""),
	getmailOf("  # x [y]", ""),
	getmailOf("", "") + "[s]]x]\na = b\n",
	getmailOf("", "password =\n below"),
	getmailOf("", "  password = secret\n  unknown = 1\n"),
	getmailOf("", "password = a\n\n  b\n\n"),
	getmailOf("", "password = a\u00a0\n\u00a0b\x1c"),
	getmailOf("", "password = a\r b\rport = 1995"),
	"\r\rx",
	getmailOf("", "") + "[]\na = b\n",
	getmailOf("", "") + "[] = b\n",
	getmailOf("", "") + "[DEFAULT]\ndelete = true\n[options]\n[DEFAULT]\ndelete_after = 3\n",
	getmailOf("", "") + "[DEFAULT]\ndelete = true\n",

	// Expressions.
	getmailIMAP(`"a", "b"`),
	getmailIMAP("(\"a\",\n  \"b\" 'c' # x\n  )"),
	getmailIMAP(`('\x41\101\u0041\U00000041\t', u"b", '''c''')`),
	getmailIMAP(`("a")`),
	getmailIMAP("(\"a\n  b\",)"),
	getmailIMAP(`"ALL"`),
	getmailIMAP("ALL,"),
	getmailIMAP(`("ALL", "b")`),
	getmailIMAP(`("Entwürfe",)`),
	getmailOf("", "port = 0x3e3"),
	getmailOf("", "port = \"995\" # x"),
	getmailOf("", "port = 0995"),
	getmailOf("", "") + "[options]\nmax_message_size = 1_000\ndelete_after = +3\n",

	// What a retriever or a destination knows.
	getmailOf("", `mailboxes = ("a",)`+"\nca_certs = /x\nenvelope_recipient = x\nmove_on_delete = x\n"),
	getmailMulti("POP3", "envelope_recipient = Delivered-To"),
	getmailMulti("POP3", "envelope_recipient = x-to:+2"),
	getmailMulti("SDPS", "envelope_recipient = x-to:2"),
	getmailMulti("SDPSSSL", ""),
	getmailTo("type = MDA_lmtp\nhost = a.example\nuser = joe"),
	getmailTo("type = MDA_external\npath = /bin/x\narguments = \"a\", 1\n"),
	getmailTo("type = MDA_external\npath = /bin/x\narguments = (\"a\", 0x10)\n"),
	getmailTo("type = MultiSorter\ndefault = /m/a\nlocals = (('a', '[x]'),)\n[x]\ntype = MDA_lmtp\nhost = b\nuser = joe"),
	getmailOf("", "") + "[options]\nuse_netrc = true\n",
}

// getmailOf has what getmail needs. header stands behind [retriever], values in
// it.
func getmailOf(header, values string) string {
	return "[retriever]" + header + "\ntype = SimplePOP3Retriever\nserver = four.example\nusername = joe\n" + values + "\n[destination]\ntype = Maildir\npath = /m/joe/\n"
}

func getmailIMAP(mailboxes string) string {
	return "[retriever]\ntype = SimpleIMAPSSLRetriever\nserver = a\nusername = joe\nmailboxes = " + mailboxes + "\n[destination]\ntype = Maildir\npath = /m/joe/\n"
}

func getmailMulti(protocol, values string) string {
	return "[retriever]\ntype = Multidrop" + protocol + "Retriever\nserver = a\nusername = joe\n" + values + "\n[destination]\ntype = Maildir\npath = /m/joe/\n"
}

func getmailTo(destination string) string {
	return "[retriever]\ntype = SimplePOP3Retriever\nserver = a\nusername = joe\n[destination]\n" + destination + "\n"
}
