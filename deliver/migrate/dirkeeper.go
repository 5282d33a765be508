package migrate

// DirKeeper keeps state in files of a directory, which is made where it is missing.
type DirKeeper struct {
	Dir string
}
