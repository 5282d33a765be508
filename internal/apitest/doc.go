// Package apitest compares the exported names of every public package with the
// golden lists in docs/api, so that a change of the interface is always seen in
// a review. It has only tests:
//
//	go test ./internal/apitest           compare
//	go test ./internal/apitest -update   write the lists (make api)
//
// A package without a list is new and not frozen yet: the test names it and
// passes. Internal packages and programs have no list.
package apitest
