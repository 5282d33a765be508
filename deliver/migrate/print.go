package migrate

// Print recognises a message where IDs do not help: a hash of the values of
// Message-ID, Date, From and Subject, of the size with CRLF, and of INTERNALDATE.
// Zero = not known.
type Print uint64
